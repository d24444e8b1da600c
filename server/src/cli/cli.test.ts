import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestServer, type TestServer } from "../http/test-server.ts";
import { ago, table } from "./commands.ts";
import { run } from "./run.ts";

let server: TestServer;
let token: string;
beforeAll(async () => {
  server = await startTestServer();
  token = await server.token("operator");
  await server.flag("new-search");
});
afterAll(() => server.close());

async function signalbox(line: string, env: Record<string, string> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const args = line.split(" ").filter((word) => word !== "");
  const code = await run(
    args,
    { SIGNALBOX_URL: server.url, SIGNALBOX_TOKEN: token, ...env },
    { out: (l) => out.push(l), err: (l) => err.push(l) },
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

describe("signalbox kill and restore", () => {
  it("says that no program is connected, which is done", async () => {
    const killed = await signalbox("kill new-search -e production -m burns");
    expect(killed).toMatchObject({ code: 0, err: "" });
    expect(killed.out).toMatch(
      /^killed new-search in production \(revision \d+\), stored in [\d.]+ ms\nNo program is connected; each will apply it when it connects$/,
    );
    expect(await signalbox("kill new-search -e production")).toEqual({
      code: 0,
      out: "new-search in production was killed already, nothing was changed",
      err: "",
    });
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
    connected.leave();
    expect(killed.code).toBe(3);
    expect(killed.err).toBe("sleeper (sleeper-1) has not applied it within 10 s");
    expect(JSON.parse(killed.out)).toMatchObject({ changed: true, receipt: { connected: 2, acknowledged: 1, complete: false } });
    await signalbox("restore new-search -e production");
  }, 20_000);

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
      err: "It is stored, but who has applied it is not known: Gone.",
    });
    await new Promise((resolve) => forgetful.close(resolve));
  });

  it("says that it may be stored when the answer is lost", async () => {
    const cut = createServer((req) => req.socket.destroy());
    await new Promise<void>((resolve) => cut.listen(0, "127.0.0.1", resolve));
    const { port } = cut.address() as AddressInfo;
    const { code, err } = await signalbox(`kill new-search -e production --url http://127.0.0.1:${port}`);
    expect([code, err]).toEqual([1, expect.stringContaining("it may be stored or not; run the same command again")]);
    await new Promise((resolve) => cut.close(resolve));
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
    expect((await signalbox("list -e production")).out).toMatch(/^KEY {9}STATE {2}SEEN\nnew-search {2}ON {5}never$/);
    expect(JSON.parse((await signalbox("list -e production --json")).out)).toMatchObject({
      environment: "production",
      flags: [{ key: "new-search" }],
    });
  });
});

describe("signalbox", () => {
  it.each([
    ["kill new-search", /^Which environment\? Add -e/],
    ["kill -e production", /^Which flag\?/],
    ["kill nope -e production", /no flag .*"nope"/],
    ["kill new-search -e moon", /no environment "moon"/],
    ["kill new-search -e production --token sb_admin_x", /^The token is unknown or was revoked/],
    ["list -e production --url http://127.0.0.1:9", /^http:\/\/127\.0\.0\.1:9 cannot be reached/],
    ["list -e production --url nonsense", /^The URL "nonsense" is none/],
    ["list -e production --wat", /^Unknown option '--wat'/],
    ["explode -e production", /^"explode" is no command/],
    ["kill a b c -e production", /^"b" is one word too many/],
  ])("answers %s with one sentence", async (line, sentence) => {
    const { code, out, err } = await signalbox(line);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(sentence);
    expect(err).not.toMatch(/\n\s*at /);
  });

  it("says how to make a token when there is none", async () => {
    expect((await signalbox("list -e production", { SIGNALBOX_TOKEN: "" })).err).toContain("under Settings, Tokens");
  });

  it("has help and a version", async () => {
    expect((await signalbox("--help")).out).toContain("signalbox kill KEY -e ENVIRONMENT -m TEXT");
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
