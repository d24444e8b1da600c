import { cpSync, rmSync, writeFileSync } from "node:fs";
import { type Socket, connect as tcp } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { folder, run, type Server, startServer, until } from "../world.ts";
import { descriptors, freeze, has, LONG, live, residentMib, startWorld, thaw, type World } from "./processes.ts";
import { startFaultProxy } from "./proxy.ts";

const DEVELOPMENT = "projects/default/environments/development";

/** A raw client of the stream, which keeps what it hears. */
function listen(world: { server: Server; keys: World["keys"] }, port = world.server.port) {
  const socket: Socket = tcp(port, "127.0.0.1");
  const heard = { text: "", closed: false };
  socket.on("data", (piece) => {
    heard.text += piece;
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    heard.closed = true;
  });
  socket.write(`GET /sdk/v1/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${world.keys.server}\r\n\r\n`);
  return { socket, heard };
}

describe("one server", { timeout: 120_000 }, () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
    await world.flag("a");
  });
  afterAll(() => world?.stop());

  test("F45 a flood of changes reaches everybody as few frames, with the last state right", async () => {
    await world.flag("flood");
    const raw = listen(world);
    const { flags } = world.follow();
    await live({ flags });
    await until("the raw one is greeted", () => raw.heard.text.includes("event: snapshot"));
    const before = raw.heard.text.length;
    const startedAt = performance.now();
    let last = 0;
    for (let round = 0; round < (LONG ? 100 : 5); round += 1) {
      const done = await Promise.all(Array.from({ length: 20 }, (_, i) => world.turn("flood", i % 2 === 0)));
      last = Math.max(last, ...done);
    }
    await until(
      "both are at the head",
      () => (flags.status.revision ?? 0) >= last && raw.heard.text.includes(`id: ${flags.status.generation}.${last}\n`),
    );
    const frames = raw.heard.text.slice(before).split("event: change").length - 1;
    // One at once, then ten a second at the most, however long this machine took.
    expect(frames).toBeLessThanOrEqual(2 + Math.ceil((performance.now() - startedAt) / 100));
    const { configuration } = await world.api.get<{ configuration: { mode: string } }>(`${DEVELOPMENT}/flags/flood`);
    expect(flags.isOn("flood")).toBe(configuration.mode === "on");
    raw.socket.destroy();
  });

  test("F49 hundreds of wrong keys are refused, store nothing, and keep nobody out", async () => {
    const { flags } = world.follow();
    await live({ flags });
    const statuses = new Set<number>();
    for (let round = 0; round < (LONG ? 20 : 6); round += 1) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          fetch(`${world.server.url}/sdk/v1/state`, { headers: { authorization: `Bearer sb_server_development_k1_${round}x${i}` } }),
        ),
      );
      for (const answer of answers) statuses.add(answer.status);
    }
    expect([...statuses].filter((status) => status !== 401 && status !== 429)).toEqual([]);
    expect((await fetch(`${world.server.url}/sdk/v1/state`, { headers: { authorization: `Bearer ${world.keys.server}` } })).status).toBe(
      200,
    );
    expect(flags.status.state).toBe("live");
    expect(world.server.output()).not.toMatch(/k1_5x49/);
  });

  test("F23 F50 sixty-four writers of one version: one wins, the others are answered 412 with the flag as it is", async () => {
    await world.flag("contested");
    const read = await world.api.answer("GET", `${DEVELOPMENT}/flags/contested`);
    const flag = (await read.json()) as { configurationEtag: string };
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, i) =>
        world.api.answer(
          "PATCH",
          `${DEVELOPMENT}/flags/contested/configuration`,
          { mode: i % 2 === 0 ? "off" : "targeted" },
          { "if-match": flag.configurationEtag },
        ),
      ),
    );
    const count = (status: number) => answers.filter((answer) => answer.status === status).length;
    expect([count(200), count(412)]).toEqual([1, 63]);
    const loser = answers.find(({ status }) => status === 412);
    expect(await loser?.json()).toMatchObject({ code: "ETAG_MISMATCH", current: { key: "contested" } });
    expect(loser?.headers.get("etag")).toBeTruthy();
  });

  test("F51 an answer that was lost after the commit: asking again does no harm and says how it is", async () => {
    await world.flag("lost");
    const { configurationEtag } = await world.api.get<{ configurationEtag: string }>(`${DEVELOPMENT}/flags/lost`);
    const proxy = await startFaultProxy(world.server.port, { cutAfter: 1 });
    const before = await world.revision();
    const send = (url: string, path: string, method: string, body: object, headers = {}) =>
      fetch(`${url}/api/v1/${DEVELOPMENT}/flags/lost/${path}`, {
        method,
        headers: { authorization: `Bearer ${world.api.token}`, "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      });
    await expect(send(proxy.url, "configuration", "PATCH", { mode: "off" }, { "if-match": configurationEtag })).rejects.toThrow();
    await until("it was stored", async () => (await world.revision()) === before + 1);
    const again = await send(world.server.url, "configuration", "PATCH", { mode: "off" }, { "if-match": configurationEtag });
    expect([again.status, await again.json()]).toMatchObject([412, { current: { configuration: { mode: "off" } } }]);
    await expect(send(proxy.url, "kill", "POST", { reason: "lost" })).rejects.toThrow();
    await until("it was stored", async () => (await world.revision()) === before + 2);
    const killed = await send(world.server.url, "kill", "POST", { reason: "lost" });
    expect([killed.status, await world.revision()]).toEqual([200, before + 2]);
    await proxy.close();
  });

  test("F12 a server that was frozen goes on: nobody lost anything, and what nobody listens to any more is let go", async () => {
    await world.flag("cold");
    const { flags } = world.follow();
    await live({ flags });
    const gone = Array.from({ length: 20 }, () => listen(world));
    await until("they are greeted", () => gone.every(({ heard }) => heard.text.includes("event: hello")));
    const held = descriptors(world.server.pid);
    freeze(world.server.pid);
    try {
      for (const { socket } of gone) socket.destroy();
      // A server that wakes up may find this connection idle for too long and end it: then the write is not acknowledged, and is made again.
      const write = world.turn("cold", false).catch(() => undefined);
      // Long: until the SDK has given up the silent stream (45 s) and tries again in vain.
      if (LONG) await until("it is stale", () => flags.status.state === "stale", 80_000);
      else await new Promise((resolve) => setTimeout(resolve, 1_000));
      expect(flags.isOn("cold")).toBe(true);
      thaw(world.server.pid);
      if ((await write) === undefined) await world.turn("cold", false);
    } finally {
      thaw(world.server.pid);
    }
    await until("the change arrives", () => !flags.isOn("cold") && flags.status.state !== "stale", 60_000);
    await until("the dead connections are let go", () => descriptors(world.server.pid) <= held - 20, 60_000);
  });

  test("F68 a list of fifty thousand people is taken while streams go on, and a kill passes it", async () => {
    await world.flag("beside");
    await world.api.send("POST", `${DEVELOPMENT}/groups`, { key: "many", kind: "list", name: "Many" });
    const { flags } = world.follow();
    await live({ flags });
    const units = Array.from({ length: 10_000 }, (_, i) => `person-${i}`);
    const importing = Promise.all(
      [0, 1, 2, 3, 4].map((part) =>
        world.api.answer("POST", `${DEVELOPMENT}/groups/many/members`, { add: units.map((unit) => `${part}-${unit}`) }),
      ),
    );
    await world.kill("beside");
    await until("the kill arrives", () => !flags.isOn("beside"));
    for (const answer of await importing) expect([answer.status, answer.ok ? "" : await answer.text()]).toEqual([200, ""]);
    await until("it is at the head", async () => flags.status.state === "live" && flags.status.revision === (await world.revision()));
  });

  test("F46 a flood of usage reports is taken or refused, never an error, and flags do not notice", async () => {
    await world.flag("noticed");
    const { flags } = world.follow();
    await live({ flags });
    const report = JSON.stringify({
      instance: "flood",
      app: "flood",
      sdk: "node/1",
      evaluated: [{ flag: "a", variant: "on", count: 1 }],
      unknown: [],
    });
    const statuses = new Set<number>();
    for (let round = 0; round < (LONG ? 40 : 8); round += 1) {
      const answers = await Promise.all(
        Array.from({ length: 50 }, () =>
          fetch(`${world.server.url}/sdk/v1/usage`, {
            method: "POST",
            body: report,
            headers: { authorization: `Bearer ${world.keys.server}`, "content-type": "application/json" },
          }),
        ),
      );
      for (const answer of answers) statuses.add(answer.status);
      if (round === 5) await world.kill("noticed");
    }
    expect([...statuses].filter((status) => status >= 300 && status !== 429 && status !== 503)).toEqual([]);
    await until("the kill arrives", () => !flags.isOn("noticed"));
    expect(flags.status.state).toBe("live");
  });

  test("F48 bodies, headers and addresses that are too large are refused by their number, and cost nothing", async () => {
    const before = residentMib(world.server.pid);
    const headers = { authorization: `Bearer ${world.api.token}`, "content-type": "application/json" };
    const body = JSON.stringify({ key: "x", description: "x".repeat(20_000_000) });
    const sent = await fetch(`${world.server.url}/api/v1/projects/default/flags`, { method: "POST", body, headers }).then(
      ({ status }) => status,
      () => 413, // cut while it was still sending
    );
    expect(sent).toBe(413);
    const raw = (request: string) =>
      new Promise<string>((resolve) => {
        const socket = tcp(world.server.port, "127.0.0.1", () => socket.write(request));
        let text = "";
        socket.on("data", (piece) => {
          text += piece;
        });
        socket.on("error", () => {});
        socket.on("close", () => resolve(text.split("\r\n", 1)[0] ?? ""));
      });
    const long = "x".repeat(40_000);
    expect(await raw(`GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: ${long}\r\n\r\n`)).toMatch(/ 431 /);
    expect(await raw(`GET /${long} HTTP/1.1\r\nhost: x\r\n\r\n`)).toMatch(/ (414|431) /);
    expect(residentMib(world.server.pid) - before).toBeLessThan(200);
  });

  test.skipIf(!LONG)("F47 a client that never ends its request is let go", { timeout: 120_000 }, async () => {
    const slow = tcp(world.server.port, "127.0.0.1");
    let closed = false;
    slow.on("error", () => {});
    slow.on("close", () => {
      closed = true;
    });
    slow.write("GET /healthz HTTP/1.1\r\nhost: x\r\nx-slow: ");
    slow.resume();
    await until("it is let go", () => closed, LONG ? 80_000 : 40_000);
  });
});

describe("the end of a server", { timeout: 120_000 }, () => {
  const worlds: World[] = [];
  afterEach(async () => {
    for (const world of worlds.splice(0)) await world.stop();
  });
  async function start(options: Parameters<typeof startWorld>[0] = {}): Promise<World> {
    const world = await startWorld(options);
    worlds.push(world);
    await world.flag("a");
    return world;
  }

  test("F52 SIGTERM in the middle of writes: bye on every stream, each write is stored or not acknowledged, exit code 0", async () => {
    const world = await start();
    const raw = listen(world);
    const { flags } = world.follow();
    await live({ flags });
    await until("greeted", () => raw.heard.text.includes("event: hello"));
    const acknowledged: string[] = [];
    let writing = true;
    const writers = [0, 1, 2, 3].map(async (writer) => {
      for (let i = 0; writing && i < 10_000; i += 1) {
        const key = `w${writer}-${i}`;
        const answer = await world.api.answer("POST", "projects/default/flags", { key }).catch(() => undefined);
        if (answer?.status === 201) acknowledged.push(key);
        else return;
      }
    });
    await until("writes are under way", () => acknowledged.length > 10);
    process.kill(world.server.pid, "SIGTERM");
    expect(await world.server.ended).toBe(0);
    writing = false;
    await Promise.all(writers);
    await until("the stream has ended", () => raw.heard.closed);
    expect(raw.heard.text).toMatch(/event: bye\ncrc: [0-9a-f]{8}\ndata: \{"reason":"drain"/);
    expect(flags.isOn("a")).toBe(true);
    await world.restart();
    const { flags: there } = await world.api.get<{ flags: { key: string }[] }>(`${DEVELOPMENT}/flags`);
    const keys = new Set(there.map(({ key }) => key));
    expect(acknowledged.filter((key) => !keys.has(key))).toEqual([]);
    await until(
      "the program is back at the head",
      async () => flags.status.state === "live" && flags.status.revision === (await world.revision()),
      60_000,
    );
  });

  test("F67 a backup that is restored under live programs: they move to what it holds at once, twice", async () => {
    const world = await start();
    const own = folder("backup");
    const file = join(own.path, "backup.db");
    const backup = async (verb: string) => {
      const env = { SIGNALBOX_DATA: world.data };
      const command = run(process.execPath, ["server/bin/signalbox.js", "backup", verb, file], { env });
      expect(await command.ended, command.output()).toBe(0);
      return command.output();
    };
    // The server goes on meanwhile.
    expect(await backup("create")).toMatch(/default\/development: \d+ flags? at revision[\s\S]*are proved/);
    const { flags } = world.follow();
    await live({ flags });
    for (const round of [1, 2]) {
      await world.turn("a", false);
      await world.flag(`later-${round}`);
      await until("it has the changes", () => !flags.isOn("a") && flags.isOn(`later-${round}`));
      const before = flags.status.generation ?? 0;
      await world.server.stop("SIGKILL");
      await backup("restore");
      world.server = await startServer({ data: world.data, port: world.server.port });
      await until("it has what was restored", () => flags.isOn("a") && flags.explain(`later-${round}`).reason.kind === "ERROR", 60_000);
      expect(flags.status.generation).toBeGreaterThan(before);
    }
    await world.turn("a", false);
    await until("changes arrive as before", () => !flags.isOn("a"));
    own.remove();
  });

  test.skipIf(!LONG)("F67 an older copy of the data folder under live programs: they move to what was restored", async () => {
    const world = await start();
    const copy = folder("backup");
    await world.server.stop();
    cpSync(world.data, copy.path, { recursive: true });
    world.server = await startServer({ data: world.data, port: world.server.port });
    const { flags } = world.follow();
    await live({ flags });
    await world.turn("a", false);
    for (let i = 0; i < 5; i += 1) await world.flag(`later-${i}`);
    await until("it has the changes", () => !flags.isOn("a") && flags.isOn("later-4"));
    const before = flags.status;
    await world.server.stop("SIGKILL");
    cpSync(copy.path, world.data, { recursive: true, force: true });
    for (const name of ["signalbox.db-wal", "signalbox.db-shm"]) rmSync(join(world.data, name), { force: true });
    world.server = await startServer({ data: world.data, port: world.server.port });
    await until("it has what was restored", () => flags.isOn("a") && flags.explain("later-4").reason.kind === "ERROR", 90_000);
    expect(flags.status.generation).toBeGreaterThan(before.generation ?? 0);
    await world.turn("a", false);
    await until("changes arrive as before", () => !flags.isOn("a"));
    copy.remove();
  });

  test.skipIf(!has("sh"))(
    "F69 few descriptors: streams past what there is are refused, the admin API and those who are in go on",
    async () => {
      const world = await start({ command: ["sh", "-c", 'ulimit -n 256; exec "$0" "$@"'] });
      const { flags } = world.follow();
      await live({ flags });
      const many = Array.from({ length: 400 }, () => listen(world));
      await until("those who fit are in", () => many.filter(({ heard }) => heard.text.includes("event: hello")).length > 50, 30_000);
      await world.kill("a");
      await until("the kill arrives", () => !flags.isOn("a"), 30_000);
      for (const { socket } of many) socket.destroy();
      await until("there is room again", () => descriptors(world.server.pid) < 100, 30_000);
      const late = world.follow({ instance: "late" });
      await until("a late one is live", () => late.flags.status.state === "live", 60_000);
    },
  );

  const canFake = has("faketime") && process.platform === "linux";
  if (!canFake) console.log("F11 is left out: faketime is not installed");
  const clocks: [name: string, first: string, then: string][] = [
    ["ten years ahead", "+3650d", ""],
    ["a day back in mid-run", "+0", "-1d"],
  ];
  if (LONG) clocks.push(["an hour back", "-1h", ""], ["a day ahead in mid-run", "+0", "+1d"]);
  test.skipIf(!canFake).each(clocks)("F11 the server's clock is %s: order, streams and kills are as ever", async (_name, first, then) => {
    const own = folder("clock");
    const stamp = join(own.path, "stamp");
    writeFileSync(stamp, first);
    const world = await startWorld({
      command: ["env"],
      env: {
        LD_PRELOAD: "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
        FAKETIME_TIMESTAMP_FILE: stamp,
        FAKETIME_NO_CACHE: "1",
        FAKETIME_DONT_FAKE_MONOTONIC: "1",
      },
    });
    worlds.push(world);
    await world.flag("a");
    const { flags } = world.follow();
    await live({ flags });
    if (then !== "") writeFileSync(stamp, then);
    await world.turn("a", false);
    await until("a change arrives", () => !flags.isOn("a"));
    await world.turn("a", true);
    await world.kill("a");
    await until("a kill arrives", () => !flags.isOn("a") && flags.explain("a").reason.kind === "DISABLED");
    expect(await world.revision()).toBe(flags.status.revision);
    // Back on a right clock the same folder goes on.
    await world.restart("SIGTERM", { LD_PRELOAD: "" });
    await world.restore("a");
    await until("it goes on", () => flags.isOn("a"), 60_000);
    own.remove();
  });
});
