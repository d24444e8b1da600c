import { spawn } from "node:child_process";
import { cpSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { folder, freePort, run, signIn, startServer, until, withAccount } from "../world.ts";
import { noSmallDisk, type SmallDisk, smallDisk } from "./disk.ts";
import { has, LONG, live, startUnder, startWorld, type World } from "./processes.ts";
import { randomOf } from "./random.ts";

const worlds: World[] = [];
const disks: SmallDisk[] = [];
const folders: { remove(): void }[] = [];
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.stop();
  for (const disk of disks.splice(0)) disk.remove();
  for (const one of folders.splice(0)) one.remove();
});

async function start(options: Parameters<typeof startWorld>[0] = {}): Promise<World> {
  const world = await startWorld(options);
  worlds.push(world);
  return world;
}

function newFolder(name: string): string {
  const made = folder(name);
  folders.push(made);
  return made.path;
}

/** Starts a server that is expected to refuse, and resolves with what it says. */
async function refusedStart(data: string): Promise<{ code: number | string; said: string }> {
  const program = run(process.execPath, ["server/bin/signalbox.js", "serve"], {
    env: { PORT: String(await freePort()), SIGNALBOX_DATA: data },
  });
  const code = await Promise.race([program.ended, until("it is ready", () => program.output().includes("ready")).then(() => "ready")]);
  await program.stop("SIGKILL");
  return { code, said: program.output() };
}

/** A folder as kill -9 leaves it, with its write-ahead log full of commits. */
async function folderWithLog(flags: number): Promise<string> {
  const world = await start();
  for (let i = 0; i < flags; i += 1) await world.flag(`f${i}`);
  const copy = newFolder("copy");
  await world.server.stop("SIGKILL");
  cpSync(world.data, copy, { recursive: true });
  return copy;
}

describe("kill -9", () => {
  const rounds = LONG ? 60 : 3;
  test(`F01 kill -9 in the middle of writes, ${rounds} times: every acknowledged write is there, and nothing else is broken`, {
    timeout: 600_000,
  }, async () => {
    const world = await start();
    const random = randomOf(1);
    const acknowledged = new Map<string, number>();
    for (let round = 0; round < rounds; round += 1) {
      let writing = true;
      const writers = [0, 1, 2].map(async (writer) => {
        for (let i = 0; writing; i += 1) {
          const key = `r${round}-w${writer}-${i}`;
          const answer = await world.api.answer("POST", "projects/default/flags", { key }).catch(() => undefined);
          if (answer?.status !== 201) return;
          acknowledged.set(key, ((await answer.json().catch(() => undefined)) as { revision: number } | undefined)?.revision ?? 0);
        }
      });
      const goal = acknowledged.size + 10 + Math.floor(random() * 30);
      await until("enough writes", () => acknowledged.size >= goal);
      await world.server.stop("SIGKILL");
      writing = false;
      await Promise.all(writers);
      await world.restart();
      const { flags } = await world.api.get<{ flags: { key: string }[] }>("projects/default/environments/development/flags");
      const there = new Set(flags.map(({ key }) => key));
      expect([...acknowledged.keys()].filter((key) => !there.has(key))).toEqual([]);
      // Each flag is one revision in each environment, so a hole or a half change-set would show here.
      expect(await world.revision()).toBe(there.size);
    }
  });
});

describe.skipIf(noSmallDisk !== "")("a full disk", () => {
  test("F03 a full disk: reads and streams go on, writes are refused with a sentence, a kill works, and it recovers by itself", {
    timeout: 120_000,
  }, async () => {
    const disk = smallDisk(16);
    disks.push(disk);
    const world = await start({ data: disk.path });
    await world.flag("a");
    const { flags } = world.follow();
    await live({ flags });
    await until("the ballast is there", () => existsSync(join(disk.path, "ballast")));
    disk.fill();
    const refused = await until("a write is refused", async () => {
      const answer = await world.api.answer("POST", "projects/default/flags", { key: `b${performance.now()}`.replace(".", "-") });
      return answer.status === 201 ? undefined : answer;
    });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "5"]);
    expect(await refused.json()).toMatchObject({
      code: "UNAVAILABLE",
      detail: expect.stringMatching(/disk of the data folder is full.*only kills/),
    });

    const ready = await fetch(`${world.server.url}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([200, { status: "ready", writes: expect.stringMatching(/disk .* is full/) }]);
    expect(flags.isOn("a")).toBe(true);
    await world.kill("a");
    await until("the kill arrives", () => !flags.isOn("a"));
    expect(flags.status.state).toBe("live");
    // The space of the ballast is for kills: it is not given to what comes after them.
    expect((await world.api.answer("POST", "projects/default/flags", { key: "c" })).status).toBe(503);
    const late = world.follow({ instance: "late" });
    await live(late);
    expect(late.flags.isOn("a")).toBe(false);

    disk.free();
    await until("it is ready for writes", async () => (await (await fetch(`${world.server.url}/readyz`)).text()) === '{"status":"ready"}');
    await world.restore("a");
    await world.flag("d");
    await until("changes arrive as before", () => flags.isOn("a") && flags.isOn("d"));
    expect(statSync(join(disk.path, "ballast")).size).toBeGreaterThan(100_000);
    await world.restart();
    expect((await world.api.get<{ flags: unknown[] }>("projects/default/environments/development/flags?search=d")).flags).toHaveLength(1);
  });
});

const ptrace = has("strace") && process.platform === "linux";
if (!ptrace) console.log("tests with errors of the disk are left out: strace is not installed");
describe.skipIf(!ptrace)("errors of the disk", () => {
  /** Attaches to the running server: from now on this system call fails. */
  async function inject(world: World, fault: string): Promise<() => Promise<void>> {
    const tracer = run("strace", ["-f", "-p", String(world.server.pid), "-o", "/dev/null", "-e", `inject=${fault}`]);
    await until("strace is attached", () => /attached/.test(tracer.output()));
    return () => tracer.stop("SIGINT");
  }

  test.each([
    ["F05 fsync returns EIO", "fsync,fdatasync:error=EIO", "IOERR_FSYNC"],
    ["F09 the file system turns read-only", "pwrite64:error=EROFS", "IOERR_WRITE"],
  ])(
    "%s: nothing is acknowledged any more, flags are served, and the next start is sound",
    { timeout: 120_000 },
    async (_name, fault, code) => {
      const world = await start();
      await world.flag("a");
      const { flags } = world.follow();
      await live({ flags });
      const lift = await inject(world, fault);
      const first = await world.api.answer("POST", "projects/default/flags", { key: "b" });
      await lift();
      expect([first.status, await first.json()]).toMatchObject([
        503,
        { detail: expect.stringMatching(new RegExp(`${code}.*until Signalbox is started again`)) },
      ]);
      // The disk seems well again, but nobody knows what it holds.
      expect((await world.api.answer("POST", "projects/default/flags", { key: "c" })).status).toBe(503);
      expect((await world.api.answer("GET", "projects/default/environments/development/flags")).status).toBe(200);
      expect([flags.isOn("a"), flags.status.state]).toEqual([true, "live"]);
      await world.restart("SIGTERM");
      await world.flag("d");
      await until("a change arrives", () => flags.isOn("d"), 60_000);
    },
  );
});

describe("the lock of the database", () => {
  test("F06 another program holds the lock: a write waits for it, at most 5 s, then is answered 503; streams go on meanwhile", {
    timeout: 60_000,
  }, async () => {
    const world = await start();
    await world.flag("a");
    const { flags } = world.follow();
    await live({ flags });
    const holder = spawn("node", ["-e", HOLD, join(world.data, "signalbox.db")], { stdio: ["pipe", "pipe", "inherit"] });
    try {
      let said = "";
      holder.stdout.on("data", (piece) => {
        said += piece;
      });
      await until("it holds the lock", () => said.includes("held"));
      const [first, kill] = [
        world.api.answer("POST", "projects/default/flags", { key: "b" }),
        world.kill("a").catch((error: Error) => error),
      ];
      // The event loop does not wait with them.
      expect((await fetch(`${world.server.url}/healthz`)).status).toBe(200);
      const answer = await first;
      expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "2"]);
      expect(await answer.json()).toMatchObject({ detail: expect.stringContaining("Another program holds the lock") });
      await kill;
      // Let go in time, the waiting write goes through.
      const waiting = world.turn("a", false);
      expect((await fetch(`${world.server.url}/healthz`)).status).toBe(200);
      holder.stdin.end();
      await waiting;
      await until("the change arrives", () => !flags.isOn("a"));
    } finally {
      holder.kill("SIGKILL");
    }
  });

  test("F06 a second server on one folder refuses to start with a sentence", async () => {
    const world = await start();
    const { code, said } = await refusedStart(world.data);
    expect(code).toBe(1);
    expect(said).toMatch(/^The data folder \S+ is in use by another Signalbox: stop that one first.*\n$/);
  });
});

const HOLD = `
  const raw = new (require("better-sqlite3"))(process.argv[1]);
  raw.exec("begin exclusive");
  console.log("held");
  process.stdin.on("end", () => { raw.exec("rollback"); process.exit(); }).resume();`;

describe("a damaged file", () => {
  const seeds = LONG ? 200 : 4;
  test(`F07 random bytes in the database, ${seeds} times: the start is refused with a sentence, or what is served is what was committed`, {
    timeout: 600_000,
  }, async () => {
    const world = await start();
    for (let i = 0; i < 30; i += 1) await world.flag(`f${i}`);
    const states = async (url: string) =>
      (await fetch(`${url}/sdk/v1/state`, { headers: { authorization: `Bearer ${world.keys.server}` } })).text();
    const before = await states(world.server.url);
    await world.server.stop(); // puts the log into the file
    const file = readFileSync(join(world.data, "signalbox.db"));
    let refused = 0;
    for (let seed = 1; seed <= seeds; seed += 1) {
      const random = randomOf(seed);
      const damaged = Buffer.from(file);
      const at = Math.floor(random() * damaged.length);
      for (let i = 0; i < 400 && at + i < damaged.length; i += 1) damaged.writeUInt8(Math.floor(random() * 256), at + i);
      const data = newFolder("damaged");
      cpSync(world.data, data, { recursive: true });
      writeFileSync(join(data, "signalbox.db"), damaged);
      const server = await startServer({ data }).catch((error: Error) => error.message);
      if (typeof server === "string") {
        refused += 1;
        expect(server, `seed ${seed}`).toMatch(
          /the server ended with 1:\n.*(damaged|do not fit their digest|cannot be|newer Signalbox).*\n$/,
        );
        expect(server.trim().split("\n"), `seed ${seed}: a sentence, no stack`).toHaveLength(2);
        continue;
      }
      expect(await states(server.url), `seed ${seed}`).toBe(before);
      await server.stop("SIGKILL");
    }
    expect(refused).toBeGreaterThan(0);
  });

  test("F08 a torn log: whatever is missing of its end, the start is sound and holds whole revisions", { timeout: 300_000 }, async () => {
    const data = await folderWithLog(3);
    const log = join(data, "signalbox.db-wal");
    const size = statSync(log).size;
    expect(size).toBeGreaterThan(50_000);
    const cuts = LONG ? 100 : 3;
    const revisions: number[] = [];
    for (let cut = 0; cut < cuts; cut += 1) {
      const copy = newFolder("torn");
      cpSync(data, copy, { recursive: true });
      truncateSync(join(copy, "signalbox.db-wal"), Math.floor(size - (size / cuts) * cut * 0.5) - (cut === 0 ? 0 : 1));
      const server = await startServer({ data: copy, env: withAccount }); // which compares rows and digests
      revisions.push(await revisionAt(server.url));
      await server.stop("SIGKILL");
    }
    expect(revisions[0]).toBe(6);
    expect(revisions).toEqual([...revisions].sort((a, b) => b - a));
  });
});

/** The revision of development, read with a new token. */
async function revisionAt(url: string): Promise<number> {
  const api = await signIn(url);
  return (await api.get<{ revision: number }>("projects/default/environments/development/flags")).revision;
}

describe("the start", () => {
  test.skipIf(noSmallDisk !== "")("F09 a disk that is read-only is refused at start with a sentence", async () => {
    const disk = smallDisk(8);
    disks.push(disk);
    const server = await startServer({ data: disk.path, env: withAccount });
    await server.stop();
    disk.mode("ro");
    const { code, said } = await refusedStart(disk.path);
    expect(code).toBe(1);
    expect(said).toMatch(/^The data folder \S+ cannot be written .*\n$/);
    disk.mode("rw");
    await (await startServer({ data: disk.path })).stop();
  });

  test.skipIf(!ptrace)(
    "F10 kill -9 in the middle of the first start and its migrations: the next start is sound",
    { timeout: 300_000 },
    async () => {
      const kills = LONG ? 40 : 3;
      let killed = 0;
      for (let at = 1; at <= kills; at += 1) {
        const data = newFolder("migration");
        // Each of these writes is a page or a frame of the log on its way to the file.
        const when = LONG ? at * 4 : at * 30;
        const program = await startUnder(["strace", "-f", "-o", "/dev/null", "-e", `inject=pwrite64:signal=KILL:when=${when}`], {
          data,
          env: withAccount,
        }).catch(() => undefined);
        if (program) await program.stop("SIGKILL");
        else killed += 1;
        const world = await start({ data });
        await world.flag("a");
        expect(await world.revision()).toBe(2);
        await world.server.stop("SIGKILL");
      }
      expect(killed).toBeGreaterThan(1);
    },
  );
});
