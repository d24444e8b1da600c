import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import {
  applySnapshot,
  type Condition,
  type Context,
  createState,
  digestOf,
  type Entry,
  evaluate,
  type FlagEntry,
  FRAME_BYTES_MAX,
  type GroupEntry,
  HEARTBEAT_MS,
  type Rule,
  type SnapshotFrame,
  sipHash,
} from "@signalbox/core";
import type { Reader, Subject } from "./subject.ts";
import type { ConditionSpec, FlagSpec, RuleSpec } from "./workloads.ts";

const GENERATION = 1_700_000_000;
const REVISION = 1;

/** The built SDK, as an app would use it: connected to a server, counting what it is asked. */
export async function sdkSubject(): Promise<Subject> {
  const built = join(import.meta.dirname, "../sdk-node/dist/index.js");
  const { createFlags } = (await import(built)) as typeof import("../sdk-node/src/index.ts");
  return {
    wire,
    async open(text) {
      const server = await serve(text);
      const flags = createFlags({ url: server.url, sdkKey: "sb_server_development_benchmark", app: "bench", logger: false });
      const { revision, problem } = await flags.ready({ timeoutMs: 20_000 });
      if (revision === undefined) throw new Error(`the SDK has no state: ${problem}`);
      return {
        context: (person) => ({ ...person }),
        ask: flags.isOn as Reader["ask"],
        all: (context) => flags.all(context as Context),
        isOnIn: (all, key) => (all as Record<string, unknown>)[key] === true,
        settled: () =>
          new Promise((resolve) => {
            // After a state that came by GET it takes one more connection.
            const look = () => flags.status.state === "live" && resolve();
            flags.on("status", look);
            look();
          }),
        async close() {
          await flags.close();
          server.close();
        },
      };
    },
  };
}

/** Its inside alone: without a connection and without counting. */
export const coreSubject: Subject = {
  wire,
  async open(text) {
    const state = createState();
    const applied = applySnapshot(state, JSON.parse(text) as SnapshotFrame);
    if (applied.kind !== "applied") throw new Error(`the snapshot was not applied: ${applied.kind}`);
    return {
      context: (person) => ({ ...person }),
      ask(key, context) {
        const answer = evaluate(state, key, context);
        return answer.served && answer.value === true;
      },
    };
  },
};

/** W5 as Signalbox holds long lists that people edit: a group by list, whose members travel and are looked up as keyed hashes. */
export async function groupListSubject(): Promise<Subject> {
  return { ...(await sdkSubject()), wire: (flags) => wireOf(flags.flatMap(withGroup)) };
}

function wire(flags: readonly FlagSpec[]): string {
  return wireOf(flags.map((flag) => fingerprinted(entry(flag))));
}

function wireOf(entries: readonly Entry[]): string {
  const frame: SnapshotFrame = {
    generation: GENERATION,
    revision: REVISION,
    digest: digestOf(entries),
    factsAt: 0,
    environment: "development",
    project: "Default",
    entries,
  };
  return JSON.stringify(frame);
}

/** The SDK takes fingerprints as they come; these have the length and the variety of real ones. */
function fingerprinted<E extends Omit<Entry, "fp">>(entry: E): E & { readonly fp: string } {
  return { ...entry, fp: createHash("sha256").update(JSON.stringify(entry)).digest("hex").slice(0, 16) };
}

function entry({ key, rules }: FlagSpec): Omit<FlagEntry, "fp"> {
  const [first] = rules;
  const everyone = rules.length === 1 && first?.percent === 100 && first.when.length === 0;
  const base = { kind: "flag", key, type: "boolean", off: "off", on: "on" } as const;
  return everyone ? { ...base, mode: "on", salt: key } : { ...base, mode: "targeted", salt: key, rules: rules.map(rule) };
}

function rule({ when, percent }: RuleSpec, i: number): Rule {
  const conditions = when.map(({ attribute, values }): Condition => ({ op: "in", attribute, values }));
  const [only] = conditions;
  return {
    id: `r${i + 1}`,
    ...(only && { when: conditions.length === 1 ? only : { op: "all", of: conditions } }),
    ...(percent < 100 && { rollout: { to: percent * 1_000 } }),
    serve: { kind: "variant", variant: "on" },
  };
}

function withGroup(flag: FlagSpec): Entry[] {
  const [listed] = flag.rules[0]?.when ?? [];
  if (!listed) throw new Error("only for W5");
  const rules: Rule[] = [{ id: "r1", when: { op: "group", group: "listed" }, serve: { kind: "variant", variant: "on" } }];
  return [fingerprinted(groupOf(listed)), fingerprinted({ ...entry(flag), rules })];
}

function groupOf({ values }: ConditionSpec): Omit<GroupEntry, "fp"> {
  const hashKey = "000102030405060708090a0b0c0d0e0f";
  return { kind: "group", key: "listed", list: { hashKey, members: values.map((value) => sipHash(hashKey, value)) } };
}

/** The least server that the SDK stays live on. As the real one, it sends a state that is too large for a frame by GET only. */
async function serve(snapshot: string): Promise<{ url: string; close(): void }> {
  const position = { generation: GENERATION, revision: REVISION };
  const frame = (event: string, data: object | string) =>
    `event: ${event}\ndata: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://bench");
    request.resume();
    if (pathname.endsWith("/state")) {
      response.writeHead(200, { "content-type": "application/json", etag: `"${GENERATION}.${REVISION}"` }).end(snapshot);
      return;
    }
    if (!pathname.endsWith("/stream")) {
      response.writeHead(204).end(); // a report of usage: taken, and forgotten
      return;
    }
    response.writeHead(200, { "content-type": "text/event-stream" });
    const names = { protocol: 1, environment: "development", project: "Default", production: false, projection: "server" };
    response.write(
      frame("hello", { ...names, generation: GENERATION, head: REVISION, factsAt: 0, heartbeatMs: HEARTBEAT_MS, at: 0, emergency: [] }),
    );
    if (searchParams.get("basis") === null) {
      response.write(
        Buffer.byteLength(snapshot) > FRAME_BYTES_MAX ? frame("resync", { ...position, reason: "size" }) : frame("snapshot", snapshot),
      );
    }
    const ping = setInterval(
      () => response.write(frame("ping", { generation: GENERATION, head: REVISION, dbAgeMs: 0, at: 0 })),
      HEARTBEAT_MS,
    );
    response.on("close", () => clearInterval(ping));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
