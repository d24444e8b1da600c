import { readFileSync } from "node:fs";
import { contextHash } from "@signalbox/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { dehydrate } from "../../sdk-node/src/dehydrate.ts";
import { flag, type ScriptedServer, startScriptedServer } from "../../sdk-node/src/scripted-server.ts";
import { type BrowserFlags, type BrowserFlagsOptions, createFlags } from "./index.ts";

/** docs/browsers.md: the blocks of a page run one after the other, as one page would have them. */
const text = readFileSync(new URL("../../docs/browsers.md", import.meta.url), "utf8");
const blocks = [...text.matchAll(/^```js( server)?\n(.*?)^```$/gms)].map(([, server, code]) => ({
  isServer: server !== undefined,
  code: code ?? "",
}));

const base64url = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
const TOKEN = `${base64url({ context: { key: "ada" }, exp: Date.now() / 1_000 + 3_600 })}.${"A".repeat(43)}`;

let server: ScriptedServer;
const open: BrowserFlags[] = [];

beforeEach(async () => {
  const when = { op: "fact", fact: 7 } as const;
  const rules = [{ id: "r", when, serve: { kind: "variant", variant: "on" } }] as const;
  server = await startScriptedServer([flag("new-checkout", "on"), flag("reviews", "targeted", { rules })]);
  const answer = (body: string, holds: boolean) => {
    const { context, token } = JSON.parse(body);
    const who = context ?? JSON.parse(Buffer.from(token.split(".")[0], "base64url").toString()).context;
    const { generation, revision } = server.snapshot();
    return { generation, revision, contextHash: contextHash(who), true: holds ? [7] : [], false: holds ? [] : [7] };
  };
  server.answer("facts", ({ body }, response) => void response.end(JSON.stringify(answer(body, true))));
  server.answer("early-access", ({ path, body }, response) => {
    const joined = !path.endsWith("leave");
    const group = { group: "early-adopters", name: "Early adopters", description: "", by: "key", joined };
    response.end(JSON.stringify({ groups: [group], ...group, ...server.snapshot(), facts: answer(body, joined) }));
  });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((flags) => flags.close()));
  await server.close();
});

/** Runs statements with these names; answers what they declare of `wanted`. */
async function run(code: string, names: Record<string, unknown>, wanted: readonly string[]): Promise<Record<string, unknown>> {
  const given = `const { ${Object.keys(names).join(", ")} } = names;`;
  const body = `${given}\n${code.replace(/^import .*$/gm, "")}\nreturn { ${wanted.join(", ")} };`;
  const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => (names: object) => Promise<Record<string, unknown>>;
  return new AsyncFunction("names", body)(names);
}

describe("docs/browsers.md", () => {
  test("every block is of a page or of a server", () => {
    expect([...text.matchAll(/^```/gm)].length).toBe(blocks.length * 2);
    expect(blocks.map(({ isServer }) => isServer)).toEqual([false, false, true, false, false, true, false]);
  });

  test("the page's blocks run, and answer as it says", async () => {
    const shown: string[] = [];
    const answer = { explain: () => ({ variant: "on", value: true }), status: { generation: 1, revision: 1 } };
    const names = {
      createFlags: (options: BrowserFlagsOptions) => {
        const flags = createFlags({ ...options, url: server.url, logger: false });
        open.push(flags);
        return flags;
      },
      visitor: { id: "ada", plan: "pro", account: "a1" },
      console: { log: (...words: unknown[]) => shown.push(words.join(" ")) },
      showNewCheckout: () => shown.push("new checkout"),
      hideNewCheckout: () => shown.push("old checkout"),
      showMessage: (message: string) => shown.push(message),
      tokenOfMyServer: async () => TOKEN,
      document: { getElementById: () => ({ textContent: dehydrate(answer as never, { key: "ada" }, ["new-checkout", "reviews"]) }) },
    };
    const page = blocks.filter(({ isServer }) => !isServer).map(({ code }) => code);
    const { flags, secured, early } = (await run(page.join("\n"), names, ["flags", "secured", "early"])) as Record<string, BrowserFlags>;
    expect([...new Set(shown)]).toEqual(["new checkout", "early-adopters Early adopters true"]);
    expect([flags?.isOn("reviews"), secured?.isOn("reviews"), early?.isOn("reviews")]).toEqual([false, true, true]);
    expect(server.requests.filter(({ path }) => path === "facts").some(({ body }) => JSON.parse(body).token === TOKEN)).toBe(true);
  });
});
