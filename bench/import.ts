import { now } from "./remote.ts";
import { startBenchServer } from "./server.ts";

/** While a project of so many flags is imported. */
export interface ImportResult {
  /** The longest that anybody else waited for an answer that takes no work, in ms: how long the event loop stood still. */
  readonly block: number;
  /** The longest that a kill took, of those sent one after the other, in ms. */
  readonly kill: number;
  /** From the request to its answer, in s. */
  readonly took: number;
}

const KILLED = "projects/default/environments/production/flags/killed";
/** Kills make the import begin anew, so they do not follow each other at once. */
const KILL_EVERY_MS = 300;

/** Imports into an empty project, while others ask for `/healthz` all the time, and somebody kills and restores a flag. */
export async function importing(flags: number): Promise<ImportResult> {
  const server = await startBenchServer();
  await server.api("POST", "projects/default/flags", { key: "killed" });
  const file = fileOf(flags);
  let isOver = false;
  const start = now();
  const whole = server.api("POST", "projects/default/import", file).finally(() => {
    isOver = true;
  });
  const waiting = async (): Promise<number> => {
    let longest = 0;
    while (!isOver) {
      const asked = now();
      await (await fetch(`${server.url}/healthz`)).arrayBuffer();
      longest = Math.max(longest, now() - asked);
    }
    return longest;
  };
  const killing = async (): Promise<number> => {
    let longest = 0;
    for (let i = 0; !isOver; i += 1) {
      const asked = now();
      const { at } = await server.api("POST", `${KILLED}/${i % 2 === 0 ? "kill" : "restore"}`, {});
      if (i % 2 === 0) longest = Math.max(longest, at - asked);
      await new Promise((resolve) => setTimeout(resolve, KILL_EVERY_MS));
    }
    return longest;
  };
  // One after the other: a kill makes the rows be written once more, so the time of the whole is that of an import nobody disturbs.
  const block = await waiting();
  const { at } = await whole;
  const took = (at - start) / 1_000;
  isOver = false;
  const again = server.api("POST", "projects/default/import", fileOf(flags, "changed")).finally(() => {
    isOver = true;
  });
  const kill = await killing();
  await again;
  server.stop();
  return { block, kill, took };
}

/** Two environments, each with two rules for every flag, one of three marked for browsers. */
function fileOf(count: number, segment = "pro"): object {
  const settings = { secureMode: false, privateAttributes: [], sampleContexts: false };
  const environment = (key: string, color: string) => ({ key, name: key, color, production: key === "production", settings, groups: [] });
  const serve = { kind: "variant", variant: "on" };
  const configuration = (index: number) => ({
    mode: "targeted",
    off: "off",
    on: "on",
    values: { on: true, off: false },
    rules: [
      { id: "r1", name: "Staff", when: { op: "in", attribute: "plan", values: [segment, "team"] }, serve },
      { id: "r2", rollout: { percentage: index % 100 }, serve },
    ],
    requires: [],
    parent: null,
    detached: false,
    browser: index % 3 === 0,
    archived: false,
    salt: `flag-${index}`,
  });
  const flags = Array.from({ length: count }, (_, index) => ({
    key: `area-${index % 50}-flag-${index}`,
    aliases: [],
    name: `Flag ${index}`,
    description: "What it is for, in a sentence.",
    type: "boolean",
    tags: [`team-${index % 7}`],
    owner: "web",
    kind: "release",
    links: [],
    expectedDays: 90,
    configurations: { development: configuration(index), production: configuration(index) },
  }));
  const environments = [environment("development", "green"), environment("production", "red")];
  return { format: "signalbox-project", version: 1, members: "none", project: { key: "default", name: "Default" }, environments, flags };
}
