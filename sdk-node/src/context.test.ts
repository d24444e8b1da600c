import { Hono } from "hono";
import { afterEach, expect, test } from "vitest";
import { currentContext, withContext } from "./context.ts";
import { flagsContext } from "./hono.ts";
import { createFlags, type NodeFlags } from "./index.ts";
import { flag, type ScriptedServer, startScriptedServer } from "./scripted-server.ts";

const rules = [{ id: "r", when: { op: "in", attribute: "key", values: ["ana"] }, serve: { kind: "variant", variant: "on" } }] as const;
let server: ScriptedServer | undefined;
let flags: NodeFlags | undefined;

async function start(): Promise<NodeFlags> {
  server = await startScriptedServer([flag("a", "targeted", { rules })]);
  flags = createFlags({ url: server.url, sdkKey: "sb_server_development_x", logger: false });
  await flags.ready();
  return flags;
}

afterEach(async () => {
  await flags?.close();
  await server?.close();
});

test("reads without a context are answered for the one of the work under way, also after it has awaited", async () => {
  const flags = await start();
  expect(flags.isOn("a")).toBe(false);
  const [ana, bob] = await Promise.all(
    ["ana", "bob"].map((key) =>
      withContext({ key }, async () => {
        await new Promise((resolve) => setImmediate(resolve));
        return [flags.isOn("a"), flags.isOn("a", { key: "ana" }), currentContext()];
      }),
    ),
  );
  expect(ana).toEqual([true, true, { key: "ana" }]);
  expect(bob).toEqual([false, true, { key: "bob" }]);
  expect(flags.isOn("a")).toBe(false);
});

test("the hono middleware gives each request its context", async () => {
  const flags = await start();
  const app = new Hono();
  app.use(flagsContext(async (c) => ({ key: c.req.header("visitor") ?? "nobody" })));
  app.get("/", (c) => c.text(String(flags.isOn("a"))));
  const ask = async (visitor: string) => (await app.request("/", { headers: { visitor } })).text();
  expect(await Promise.all([ask("ana"), ask("bob"), ask("ana")])).toEqual(["true", "false", "true"]);
});

test("a store that throws costs the answer, not the program", async () => {
  const flags = await start();
  const hook = Symbol.for("signalbox.node.context");
  const world = globalThis as { [hook]?: unknown };
  const before = world[hook];
  world[hook] = {
    get() {
      throw new Error("broken");
    },
  };
  try {
    expect(flags.isOn("a", undefined, { default: true })).toBe(true);
    expect(flags.explain("a").reason.kind).toBe("ERROR");
  } finally {
    world[hook] = before;
  }
});
