import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Flag } from "../api-types.ts";
import { startTestServer, type TestServer } from "../http/test-server.ts";
import { ago, table } from "./commands.ts";
import { withPercentage } from "./explain.ts";
import { input } from "./input.ts";
import { run } from "./run.ts";

let server: TestServer;
let token: string;
beforeAll(async () => {
  server = await startTestServer();
  token = await server.token("operator");
  await server.flag("new-search");
});
afterAll(() => server.close());

async function signalbox(line: string | readonly string[], env: Record<string, string> = {}, stdin = "") {
  const out: string[] = [];
  const err: string[] = [];
  const args = typeof line === "string" ? line.split(" ").filter((word) => word !== "") : line;
  const code = await run(
    args,
    { SIGNALBOX_URL: server.url, SIGNALBOX_TOKEN: token, ...env },
    { out: (l) => out.push(l), err: (l) => err.push(l) },
    { ...input, stdin: async () => stdin },
  );
  return { code, out: out.join("\n"), err: err.join("\n") };
}

/** Programs that are connected until `leave`; an acknowledgement is sent for those that answer. */
async function programs(names: readonly { name: string; answers: boolean }[]) {
  const cookie = await server.signIn();
  const keys = (await (await server.send("GET", "/api/v1/projects/default/environments/production/sdk-keys", cookie)).json()) as {
    server: string;
  };
  const authorization = `Bearer ${keys.server}`;
  const leaving = new AbortController();
  // Held: a response that nobody holds is collected, and its connection with it.
  const streams: Response[] = [];
  for (const { name, answers } of names) {
    const stream = await fetch(`${server.url}/sdk/v1/stream?app=${name}&instance=${name}-1`, {
      headers: { authorization },
      signal: leaving.signal,
    });
    streams.push(stream);
    if (answers) void acknowledge(stream, name);
  }
  return {
    leave() {
      leaving.abort();
      streams.length = 0;
    },
  };

  async function acknowledge(stream: Response, name: string): Promise<void> {
    const decoder = new TextDecoder();
    let text = "";
    try {
      for await (const bytes of stream.body ?? []) {
        text += decoder.decode(bytes, { stream: true });
        const frames = text.split("\n\n");
        text = frames.pop() ?? "";
        for (const frame of frames) {
          const [, generation, revision] = /^id: (\d+)\.(\d+)$/m.exec(frame) ?? [];
          if (!frame.includes("event: change") || !generation) continue;
          await fetch(`${server.url}/sdk/v1/ack`, {
            method: "POST",
            headers: { authorization, "content-type": "application/json" },
            body: JSON.stringify({ instance: `${name}-1`, generation: Number(generation), revision: Number(revision) }),
          });
        }
      }
    } catch (error) {
      if (!leaving.signal.aborted) throw error; // Leaving ends the stream in the middle, on purpose.
    }
  }
}

describe("signalbox fleet", () => {
  it("lists the programs of one environment, or of all", async () => {
    const connected = await programs([{ name: "shop", answers: true }]);
    const one = await signalbox("fleet -e production");
    expect(one).toMatchObject({ code: 0, err: "" });
    expect(one.out).toMatch(
      /^production, revision \d+: 1 connected\nAPP +STATE +APPLIED +BEHIND +HEARD +SDK +HOST +INSTANCE\nshop +connected /,
    );
    const all = await signalbox("fleet");
    expect(all.out).toMatch(/^development, revision \d+: 0 connected\n\nproduction, revision \d+: 1 connected\n/);
    expect(JSON.parse((await signalbox("fleet -e production --json")).out)).toMatchObject({ counts: { connected: 1 }, total: 1 });
    expect(JSON.parse((await signalbox("fleet --json")).out).environments).toHaveLength(2);
    expect(await signalbox("fleet production")).toMatchObject({ code: 1, err: expect.stringContaining("fleet -e ENVIRONMENT") });
    connected.leave();
    while (!(await signalbox("fleet -e production")).out.includes(": 0 connected")); // the server sees it leave a moment later
  });
});

/** A kill at a server that answers every request so, and those for receipts with `receipt`. */
async function killAt(status: number, text: string, receipt = status) {
  const other = createServer((req, res) => {
    res.writeHead(req.method === "POST" ? status : receipt, { "content-type": "application/json" });
    res.end(text);
  });
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const told = await signalbox(`kill new-search -e production --url http://127.0.0.1:${(other.address() as AddressInfo).port}`);
  await new Promise((resolve) => other.close(resolve));
  return told;
}

describe("signalbox kill and restore", () => {
  it("says that no program is connected, which is done", async () => {
    const killed = await signalbox("kill new-search -e production -m burns");
    expect(killed).toMatchObject({ code: 0, err: "" });
    expect(killed.out).toMatch(
      /^killed new-search in production \(revision \d+\), stored in [\d.]+ ms\nNo program is connected; each will apply it when it connects$/,
    );
    const again = await signalbox("kill new-search -e production");
    expect(again).toMatchObject({ code: 0, err: "" });
    expect(again.out).toMatch(
      /^new-search in production was killed already, nothing was changed \(revision \d+\)\nNo program is connected/,
    );
    const shown = await signalbox("show new-search -e production");
    expect(shown.out).toMatch(/^new-search in production: KILLED\n[\s\S]*Killed \d+ s ago by test \(token of ana\): burns/);
    expect((await signalbox("restore new-search -e production")).out).toMatch(/^restored new-search in production/);
  });

  it("waits until every connected program has applied it", async () => {
    const connected = await programs([
      { name: "shop", answers: true },
      { name: "search", answers: true },
    ]);
    const killed = await signalbox("kill new-search -e production");
    expect(killed).toMatchObject({ code: 0, err: "" });
    expect(killed.out).toMatch(/\n2 of 2 connected programs have applied it, slowest [\d.]+ ms$/);
    await signalbox("restore new-search -e production");
    connected.leave();
  });

  it("names the programs that lag, with exit code 3", async () => {
    const connected = await programs([
      { name: "shop", answers: true },
      { name: "sleeper", answers: false },
    ]);
    const killing = signalbox("kill new-search -e production --json");
    const killed = await killing;
    // Asked again it is stored already, and the same program still lags.
    const again = await signalbox("kill new-search -e production");
    expect(again).toMatchObject({ code: 3, err: expect.stringContaining("sleeper") });
    expect(again.out).toMatch(/^new-search in production was killed already, .*\n1 of 2 connected programs have applied it/);
    connected.leave();
    expect(killed.code).toBe(3);
    expect(killed.err).toBe("sleeper (sleeper-1): its SDK (unknown) may be too old to acknowledge this");
    expect(JSON.parse(killed.out)).toMatchObject({ changed: true, receipt: { connected: 2, acknowledged: 1, complete: false } });
    await signalbox("restore new-search -e production");
  }, 40_000);

  it("says that it is stored when the receipt cannot be had, with exit code 4", async () => {
    // A server that takes the kill and then loses its memory of receipts, as a restart does.
    const forgetful = createServer((req, res) => {
      const body =
        req.method === "POST"
          ? { flag: { key: "new-search" }, revision: 7, changed: true }
          : { code: "REVISION_NOT_FOUND", detail: "Gone." };
      res.writeHead(req.method === "POST" ? 200 : 404, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
    await new Promise<void>((resolve) => forgetful.listen(0, "127.0.0.1", resolve));
    const { port } = forgetful.address() as AddressInfo;
    expect(await signalbox(`kill new-search -e production --url http://127.0.0.1:${port}`)).toEqual({
      code: 4,
      out: "killed new-search in production (revision 7)",
      err: 'It is stored, but who has applied it is not known: Gone.\n"signalbox fleet -e production" tells which revision each program holds.',
    });
    await new Promise((resolve) => forgetful.close(resolve));
  });

  it("says that it may be stored when the answer is lost", async () => {
    const cut = createServer((req) => req.socket.destroy());
    await new Promise<void>((resolve) => cut.listen(0, "127.0.0.1", resolve));
    const { port } = cut.address() as AddressInfo;
    const { code, err } = await signalbox(`kill new-search -e production --url http://127.0.0.1:${port}`);
    expect([code, err]).toEqual([4, expect.stringContaining("it may be stored or not; run the same command again")]);
    await new Promise((resolve) => cut.close(resolve));
  });

  it.each([
    ["is cut within its body", 200, '{"flag":{"key":"new-se'],
    ["is empty", 200, ""],
    ["is a proxy's page", 502, "<h1>Bad Gateway</h1>"],
    ["is a proxy's JSON", 504, '{"message":"upstream timed out"}'],
  ])("says that it may be stored when the answer %s", async (_, status, text) => {
    const { code, err } = await killAt(status, text);
    expect([code, err]).toEqual([
      4,
      expect.stringContaining(`answered ${status} without saying what became of it: it may be stored or not;`),
    ]);
  });

  it("ends with 1 when the server itself says that it failed", async () => {
    expect(await killAt(503, '{"code":"STORE_UNAVAILABLE","detail":"Not stored."}')).toEqual({ code: 1, out: "", err: "Not stored." });
  });

  it("does not take a kill that was stored before for one that is applied", async () => {
    const told = await killAt(200, '{"flag":{"key":"new-search"},"revision":7,"changed":false}', 404);
    expect(told).toMatchObject({ code: 4, out: "new-search in production was killed already, nothing was changed (revision 7)" });
    expect(told.err).toContain("who has applied it is not known");
  });

  it("take several flags, or all with a tag, as one revision, and say which key no flag has", async () => {
    await server.flag("second");
    const cookie = await server.signIn();
    for (const key of ["tag-a", "tag-b"]) await server.send("POST", "/api/v1/projects/default/flags", cookie, { key, tags: ["pay"] });
    const killed = await signalbox("kill new-search second typo -e production -m burns --json");
    expect(killed).toMatchObject({ code: 1, err: '"typo" was not killed: no flag has this key.' });
    expect(JSON.parse(killed.out)).toMatchObject({ changed: true, flags: [{ key: "new-search" }, { key: "second" }], missing: ["typo"] });
    const restored = await signalbox("restore new-search second -e production");
    expect(restored).toMatchObject({ code: 0, err: "" });
    expect(restored.out).toMatch(/^restored new-search, second in production \(revision \d+\)/);
    expect((await signalbox("kill --tag pay -e production")).out).toMatch(/^killed tag-a, tag-b in production/);
    expect((await signalbox("restore --tag pay -e production")).code).toBe(0);
  });

  it("does not let a kill token restore", async () => {
    const kill = { SIGNALBOX_TOKEN: await server.token("kill") };
    expect((await signalbox("kill new-search -e production", kill)).code).toBe(0);
    expect(await signalbox("restore new-search -e production", kill)).toMatchObject({ code: 1, out: "" });
    expect((await signalbox("restore new-search -e production")).code).toBe(0);
  });
});

describe("signalbox list", () => {
  it("prints an aligned table", async () => {
    expect((await signalbox("list -e production")).out).toMatch(/^KEY {9}STATE {2}SEEN\nnew-search {2}ON {5}never$/m);
    expect(JSON.parse((await signalbox("list -e production --json")).out)).toMatchObject({
      environment: "production",
      flags: expect.arrayContaining([expect.objectContaining({ key: "new-search" })]),
    });
  });
});

/** Rules that have everything in them that words must be found for. */
const RULES = [
  {
    id: "banks",
    name: "Not for banks",
    when: { op: "in", attribute: "kind", values: ["bank"] },
    serve: { kind: "variant", variant: "off" },
  },
  {
    id: "new",
    when: {
      op: "all",
      of: [
        { op: "semver", attribute: "version", is: ">=", value: "2.1.0" },
        { op: "date", is: ">=", value: "2026-12-01T09:00", zone: "Europe/Zurich" },
        { op: "matches", attribute: "email", values: ["^a.*@example\\.com$"] },
        { op: "cidr", attribute: "ip", values: ["10.0.0.0/8"] },
      ],
    },
    rollout: {
      percentage: 1,
      over: {
        kind: "line",
        points: [
          { at: "2026-12-01T08:00:00Z", percentage: 1 },
          { at: "2026-12-08T08:00:00Z", percentage: 100 },
        ],
      },
    },
    serve: { kind: "variant", variant: "on" },
  },
  {
    id: "slice",
    name: "A slice",
    when: { op: "exists", attribute: "plan" },
    rollout: { percentage: 20, from: 10 },
    serve: { kind: "variant", variant: "on" },
  },
  { id: "some", rollout: { percentage: 10, by: "account.key" }, serve: { kind: "variant", variant: "on" } },
];

describe("with rules of every kind", () => {
  beforeAll(async () => {
    const cookie = await server.signIn();
    await server.flag("checkout");
    const headers = { origin: server.url, "x-signalbox-csrf": "1", "content-type": "application/json", "if-match": "*", cookie };
    const answer = await fetch(`${server.url}/api/v1/projects/default/environments/production/flags/checkout/configuration`, {
      method: "PATCH",
      headers,
      body: JSON.stringify({ mode: "targeted", rules: RULES }),
    });
    if (!answer.ok) throw new Error(await answer.text());
  });

  it("signalbox show tells conditions, slices, units and schedules in the words of the page", async () => {
    expect((await signalbox("show checkout -e production")).out.split("\n").filter((line) => /^ {2}\d/.test(line))).toEqual([
      "  1. Not for banks: those where kind is bank -> off",
      "  2. 1 % (1 % from 2026-12-01 08:00 UTC, in a straight line to 100 % at 2026-12-08 08:00 UTC) of those where version is at least version 2.1.0 and the time is at or after 2026-12-01T09:00 (Europe/Zurich) and email matches /^a.*@example\\.com$/ and ip is in 10.0.0.0/8 -> on",
      "  3. A slice: 20 % (from 10 % to 30 %) of those where plan is known -> on",
      "  4. 10 % (by account.key) of everyone else -> on",
    ]);
  });

  it("signalbox explain prints value, variant, sentence and the tree", async () => {
    const context = JSON.stringify({ key: "u1", kind: "shop", version: "2.0.0", account: { key: "a1" } });
    const told = await signalbox(["explain", "checkout", "-e", "production", "--context", context]);
    expect(told).toMatchObject({ code: 0, err: "" });
    const lines = told.out.split("\n");
    expect(lines[0]).toMatch(/^checkout in production, revision \d+$/);
    expect(lines.slice(1, 3)).toEqual(["value    false", "variant  off"]);
    expect(lines[3]).toMatch(/^off: no rule applies; /);
    expect(told.out).toContain('  1. Not for banks (denial): does not apply\n     false    kind is bank (kind: "shop")\n');
    expect(told.out).toContain('false    version is at least version 2.1.0 (version: "2.0.0")');
    expect(told.out).toContain("unknown  ip is in 10.0.0.0/8 (no ip in the context)");
    expect(told.out).toMatch(
      /\n {2}4\. 10 % \(by account\.key\) of everyone else: does not apply\n {5}false {4}account\.key "a1" falls on [\d.]+ %; inside is from 0 % up to 10 %$/,
    );
  });

  it("reads the context from the standard input and from a file, and unsaved edits", async () => {
    const line = ["explain", "checkout", "-e", "production", "--json", "--set", '{"mode":"on"}', "--context"];
    const folder = mkdtempSync(join(tmpdir(), "signalbox-cli-"));
    writeFileSync(join(folder, "context.json"), '{"key":"u2"}');
    for (const told of [
      await signalbox([...line, "-"], {}, '{"key":"u2"}'),
      await signalbox([...line, `@${join(folder, "context.json")}`]),
    ]) {
      expect(JSON.parse(told.out)).toMatchObject({ evaluation: { variant: "on" }, sentence: "on: the flag is on for everyone." });
    }
    rmSync(folder, { recursive: true });
  });

  it("signalbox effect says who gains, with examples, for made-up users and for contexts of a file", async () => {
    const madeUp = await signalbox("effect checkout -e production --percent 25");
    expect(madeUp).toMatchObject({ code: 0, err: "" });
    expect(madeUp.out).toMatch(
      /made-up users, each with account\.key of their own and nothing else.*, about 1,\d00 gain it, none lose it\.\n/,
    );
    expect(madeUp.out).toMatch(
      /\n\nOf those who gain it\n {2}"sample-\d+": off -> on; on: rule "25 % \(by account\.key\) of everyone else" applies, because /,
    );
    const contexts = '{"key":"u1","kind":"shop","plan":"pro"}\n\n{"key":"u2","kind":"bank"}\n';
    const given = await signalbox(["effect", "checkout", "-e", "production", "--set", '{"mode":"on"}', "--contexts", "-"], {}, contexts);
    expect(given.out).toContain("Of 2 contexts, ");
    expect(given.out).toContain('"u2": off -> on; on: the flag is on for everyone.');
    const list = await signalbox("effect checkout -e production --percent 25 --contexts - --json", {}, '[{"key":"u1"},{}]');
    expect(JSON.parse(list.out)).toMatchObject({ total: 2, madeUp: false });
  });

  it.each<[readonly string[], string, RegExp]>([
    [["explain", "checkout"], "", /^For whom\? Add --context/],
    [["explain", "checkout", "--context", "u1"], "", /^--context is "u1", which is not JSON: put it in single quotes/],
    [["explain", "checkout", "--context", "[1]"], "", /^--context is "\[1\]", expected one JSON object/],
    [["explain", "checkout", "--context", "@nowhere.json"], "", /^The file "nowhere\.json" cannot be read \(ENOENT\)/],
    [["explain", "nope", "--context", "{}"], "", /no flag with the key "nope"/],
    [["effect", "checkout"], "", /^Which edits\? Add --percent 25/],
    [["effect", "checkout", "--percent", "1", "--set", "{}"], "", /^--set and --percent/],
    [["effect", "checkout", "--percent", "lots"], "", /^--percent is "lots", expected a number from 0 to 100/],
    [["effect", "checkout", "--percent", "101"], "", /^--percent is "101"/],
    [["effect", "new-search", "--percent", "5"], "", /^The mode of "new-search" is on, so no rule is asked/],
    [["effect", "checkout", "--set", '{"on":"blue"}'], "", /"blue"/],
    [["effect", "checkout", "--set", "[]"], "", /^--set is \[\], expected one object/],
    [["effect", "checkout", "--percent", "5", "--contexts", "-"], "", /^--contexts holds no context/],
    [["effect", "checkout", "--percent", "5", "--contexts", "-"], '{"key":"a"}\nana', /^Line 2 of --contexts is "ana"/],
    [["effect", "checkout", "--percent", "5", "--contexts", "-"], "[1]", /^Context 1 of --contexts is "1"/],
    [
      ["effect", "checkout", "--percent", "5", "--contexts", "-"],
      "{}\n".repeat(10_001),
      /^--contexts holds 10001 contexts, the most is 10000/,
    ],
  ])("refuses %j with one sentence", async (line, stdin, sentence) => {
    const { code, out, err } = await signalbox([...line, "-e", "production"], {}, stdin);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(sentence);
  });

  it("sets the percentage of the last rule without conditions, and nothing else of it", () => {
    const flag = (rules: object[], mode = "targeted") =>
      ({ key: "f", configuration: { mode, rules } }) as unknown as Pick<Flag, "key" | "configuration">;
    expect(withPercentage(flag(RULES), "0.5").rules.at(-1)).toEqual({ ...RULES.at(-1), rollout: { percentage: 0.5, by: "account.key" } });
    expect(() => withPercentage(flag(RULES.slice(0, 2)), "5")).toThrow(/no rule without conditions/);
    const { when: _none, ...scheduled } = RULES[1] as (typeof RULES)[number];
    expect(() => withPercentage(flag([scheduled]), "5")).toThrow(/follows a schedule/);
  });
});

describe("signalbox", () => {
  it.each([
    ["kill new-search", /^Which environment\? Add -e/],
    ["kill -e production", /^Which flag\?/],
    ["kill nope -e production", /no flag .*"nope"/],
    ["kill new-search -e moon", /no environment "moon"/],
    ["kill new-search -e production --token sb_admin_x", /^The token is not written as one/],
    ["list -e production --url http://127.0.0.1:9", /^http:\/\/127\.0\.0\.1:9 cannot be reached/],
    ["list -e production --url nonsense", /^The URL "nonsense" is none/],
    ["list -e production --wat", /^Unknown option '--wat'/],
    ["explode -e production", /^"explode" is no command/],
    ["show a b -e production", /^"b" is one word too many/],
    ["kill a --tag b -e production", /^Either keys or --tag/],
    ["kill --tag none -e production", /no flag.*tag "none"/i],
  ])("answers %s with one sentence", async (line, sentence) => {
    const { code, out, err } = await signalbox(line);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(sentence);
    expect(err).not.toMatch(/\n\s*at /);
  });

  it("says how to make a token when there is none", async () => {
    expect((await signalbox("list -e production", { SIGNALBOX_TOKEN: "" })).err).toContain("under Keys and tokens");
  });

  it("has help and a version", async () => {
    expect((await signalbox("--help")).out).toContain("signalbox kill KEY... -e ENVIRONMENT -m TEXT");
    expect((await signalbox("--version")).out).toMatch(/^\d+\.\d+\.\d+/);
    expect((await signalbox("")).code).toBe(1);
  });
});

describe("table and ago", () => {
  it("pad columns, not the last one", () => {
    expect(
      table([
        ["A", "B"],
        ["long", "x"],
      ]),
    ).toEqual(["A     B", "long  x"]);
  });
  it.each([
    [0, "0 s ago"],
    [59_000, "59 s ago"],
    [60_000, "1 min ago"],
    [3_600_000, "1 h ago"],
    [172_800_000, "2 d ago"],
    [-5, "0 s ago"],
  ])("%i ms is %s", (ms, text) => {
    expect(ago(1_000_000_000 - ms, 1_000_000_000)).toBe(text);
  });
});
