import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type BrowserFlags, type BrowserFlagsOptions, createFlags as createPageFlags } from "@signalbox/browser";
import { createFlags, type NodeFlags, signContext } from "@signalbox/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Api, environmentPath, folder, root, type Server, signIn, startServer, until, withAccount } from "./world.ts";

/** docs/browsers.md against a real server: its blocks in their order, those of a page as one page would have them. */
const text = readFileSync(join(root, "docs/browsers.md"), "utf8");
const blocks = [...text.matchAll(/^```js( server)?\n(.*?)^```$/gms)].map(([, server, code]) => ({
  isServer: server !== undefined,
  code: code ?? "",
}));

const ENVIRONMENT = environmentPath("development");
const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => (names: object) => Promise<Record<string, unknown>>;

/** Runs statements with these names; answers what they declare of `wanted`. */
function run(code: string, names: Record<string, unknown>, wanted: readonly string[]): Promise<Record<string, unknown>> {
  const given = `const { ${Object.keys(names).join(", ")} } = names;`;
  return new AsyncFunction("names", `${given}\n${code.replace(/^import .*$/gm, "")}\nreturn { ${wanted.join(", ")} };`)(names);
}

describe("docs/browsers.md", () => {
  const data = folder("browsers-doc");
  let server: Server;
  let api: Api;
  let program: NodeFlags;
  let keys: { server: string; browser: string };
  let secret: string;
  const open: BrowserFlags[] = [];

  beforeAll(async () => {
    server = await startServer({ data: data.path, env: withAccount });
    api = await signIn(server.url);
    keys = await api.get(`${ENVIRONMENT}/sdk-keys`);
    const { secrets } = await api.get<{ secrets: { secret: string }[] }>(`${ENVIRONMENT}/signing-secret`);
    secret = secrets[0]?.secret ?? "";
    await api.send("POST", `${ENVIRONMENT}/groups`, { key: "early-adopters", kind: "early-access", name: "Early adopters" });
    const rules = [{ when: { op: "group", group: "early-adopters" }, serve: { kind: "variant", variant: "on" } }];
    for (const [key, configuration] of Object.entries({ "new-checkout": { mode: "on" }, reviews: { mode: "targeted", rules } })) {
      await api.send("POST", "projects/default/flags", { key, browser: true });
      await api.send("PATCH", `${ENVIRONMENT}/flags/${key}/configuration`, configuration);
    }
    program = createFlags({ url: server.url, sdkKey: keys.server, app: "docs", logger: false });
    await program.ready();
    await program.earlyAccess.join("early-adopters", "ana");
  });
  afterAll(async () => {
    await Promise.all(open.map((flags) => flags.close()));
    await program?.close();
    await server?.stop();
    data.remove();
  });

  test("every block is of a page or of a server", () => {
    expect([...text.matchAll(/^```/gm)].length).toBe(blocks.length * 2);
    expect(blocks.map(({ isServer }) => isServer)).toEqual([false, false, true, false, false, true, false]);
  });

  const shown: string[] = [];
  const asked: string[] = [];
  const said: string[] = [];
  const [signing = "", writing = ""] = blocks.filter(({ isServer }) => isServer).map(({ code }) => code);
  const page = blocks.filter(({ isServer }) => !isServer).map(({ code }) => code);
  let html = "";

  /** The app's own server, for whoever is signed in there. */
  const onServer = (code: string, user: object, wanted: string) =>
    run(code, { signContext, user, flags: program, process: { env: { SIGNALBOX_SIGNING_SECRET: secret } } }, [wanted]);

  const names = {
    createFlags: (options: BrowserFlagsOptions) => {
      expect(options).toMatchObject({ url: "http://localhost:7070", sdkKey: "sb_browser_development_..." });
      const logger = { info() {}, warn: (line: string) => said.push(line) };
      const flags = createPageFlags({ ...options, url: server.url, sdkKey: keys.browser, logger });
      open.push(flags);
      return flags;
    },
    visitor: { id: "visitor-1", plan: "free", account: "a1" },
    console: { log: (...words: unknown[]) => shown.push(words.join(" ")) },
    showNewCheckout: () => shown.push("new checkout"),
    hideNewCheckout: () => shown.push("old checkout"),
    showMessage: (message: string) => shown.push(message),
    tokenOfMyServer: async () => String((await onServer(signing, { id: "ana", plan: "pro" }, "token")).token),
    document: { getElementById: () => ({ textContent: />(.*)<\/script>/.exec(html)?.[1] }) },
    /** What the page's own server did before its last block. */
    async written() {
      await program.earlyAccess.join("early-adopters", "visitor-1");
      html = String((await onServer(writing, { id: "visitor-1" }, "html")).html);
    },
    answered: (what: string, value: boolean) => asked.push(`${what} ${value}`),
  };

  /** Blocks of a page, with every answer that they ask for noted. */
  const runPage = (code: string, wanted: readonly string[] = []) =>
    run(code.replace(/^( *)((\w+)\.isOn\(("[^"]+")\));/gm, '$1answered("$3", $2);'), names, wanted);

  test("the blocks run, and answer as it says", async () => {
    const code = [...page.slice(0, -1), "await written();", ...page.slice(-1)].join("\n");
    const { early } = (await runPage(code, ["early"])) as { early: BrowserFlags };
    expect(asked).toEqual(["flags false", "secured true", "flags true", "early true"]);
    expect(early.status.state).toBe("connecting");
    expect([...new Set(shown)]).toEqual(["new checkout", "early-adopters Early adopters false"]);
    await early.ready();
    expect(early.isOn("reviews")).toBe(true);
    await until("the first page knows that its visitor is in again", () => open[0]?.isOn("reviews"));
    expect(said).toEqual([]);
  });

  test("what is signed is taken in secure mode, and nothing else", async () => {
    await Promise.all(open.splice(0).map((flags) => flags.close()));
    await api.send("PATCH", `${ENVIRONMENT}/settings`, { secureMode: true });
    const [first = "", , signed = ""] = page;
    asked.length = 0;
    await runPage(signed);
    expect([asked, said]).toEqual([["secured true"], []]);
    await runPage(first);
    expect(said).toEqual([expect.stringContaining("facts are refused: This environment is in secure mode")]);
  });
});
