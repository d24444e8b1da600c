import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Program, root, run, until } from "../world.ts";
import { freeze, LONG, silentServer, startWorld, thaw, type World } from "./processes.ts";
import { startFaultProxy } from "./proxy.ts";

let world: World;
const programs: Program[] = [];
beforeAll(async () => {
  world = await startWorld();
  await world.flag("a");
});
afterAll(async () => {
  for (const program of programs) await program.stop("SIGKILL");
  await world?.stop();
});

/** Runs a text as a program with the built SDK; URL and KEY are known to it. */
function program(text: string, url = world.server.url): Program {
  const head = `import { createFlags } from "@signalbox/node";\nconst [URL, KEY] = ${JSON.stringify([url, world.keys.server])};\n`;
  // From a file, because cluster and workers begin it again.
  const file = join(world.data, `program-${programs.length}.mjs`);
  const link = join(root, "sdk-node/dist/index.js");
  writeFileSync(file, (head + text).replaceAll('"@signalbox/node"', JSON.stringify(link)));
  const started = run(process.execPath, [file]);
  programs.push(started);
  return started;
}

async function instances(app: string): Promise<{ instance: string }[]> {
  const { instances } = await world.api.get<{ instances: { app: string; instance: string }[] }>(
    "projects/default/environments/development/instances",
  );
  return instances.filter((one) => one.app === app);
}

describe.concurrent("programs", { timeout: 120_000 }, () => {
  test("F54 workers of a cluster each follow by themselves, and the server tells them apart", async () => {
    const workers = LONG ? 16 : 3;
    const one = program(`
      import cluster from "node:cluster";
      if (cluster.isPrimary) for (let i = 0; i < ${workers}; i += 1) cluster.fork();
      else {
        const flags = createFlags({ url: URL, sdkKey: KEY, app: "cluster", logger: false });
        await flags.ready({ timeoutMs: 60_000 });
        console.log("on " + flags.isOn("a"));
        setInterval(() => {}, 60_000);
      }
      process.on("SIGTERM", () => { for (const worker of Object.values(cluster.workers ?? {})) worker.process.kill("SIGKILL"); process.exit(); });`);
    await until("every worker has its answer", () => (one.output().match(/on true/g) ?? []).length === workers, 60_000);
    expect(new Set((await instances("cluster")).map(({ instance }) => instance)).size).toBe(workers);
    await one.stop();
  });

  test("F55 an SDK in each thread follows by itself, and ends with its thread", async () => {
    const one = program(`
      import { isMainThread, Worker } from "node:worker_threads";
      const flags = createFlags({ url: URL, sdkKey: KEY, app: "threads", logger: false });
      await flags.ready({ timeoutMs: 60_000 });
      console.log("on " + flags.isOn("a"));
      if (isMainThread) {
        const threads = [0, 1].map(() => new Worker(new globalThis.URL(import.meta.url)));
        process.on("SIGTERM", async () => { for (const thread of threads) await thread.terminate(); console.log("ended"); });
      }
      setInterval(() => {}, 60_000);`);
    await until("three answers", () => (one.output().match(/on true/g) ?? []).length === 3, 60_000);
    expect((await instances("threads")).length).toBe(3);
    process.kill(one.pid, "SIGTERM");
    await until("the threads are gone, the main one is not", async () => (await instances("threads")).length === 1);
    await one.stop("SIGKILL");
  });

  test("F57 two SDKs of one key in a process both answer, and it is said once", async () => {
    const one = program(`
      const both = [0, 1, 2].map(() => createFlags({ url: URL, sdkKey: KEY, app: "twice" }));
      await Promise.all(both.map((flags) => flags.ready({ timeoutMs: 60_000 })));
      console.log(both.map((flags) => flags.isOn("a")).join());
      await Promise.all(both.map((flags) => flags.close()));
      createFlags({ url: URL, sdkKey: KEY, app: "twice" });`);
    expect(await one.ended).toBe(0);
    expect(one.output()).toContain("true,true,true");
    expect(one.output().match(/createFlags was called again/g)).toHaveLength(1);
  });

  test("F58 short scripts end by themselves, and close() takes at most a second, whatever the server does", async () => {
    const good = program(`
      const flags = createFlags({ url: URL, sdkKey: KEY, app: "short" });
      await flags.ready({ timeoutMs: 60_000 });
      console.log(flags.isOn("a"));`);
    expect(await good.ended).toBe(0);
    expect(good.output()).toMatch(/true/);
    const closing = `
      const flags = createFlags({ url: URL, sdkKey: KEY, app: "short", logger: false });
      await flags.ready({ timeoutMs: 2_000 });
      flags.isOn("a");
      console.log("held");
      const waiting = setInterval(() => {}, 60_000);
      await new Promise((resolve) => process.once("SIGUSR2", resolve));
      clearInterval(waiting);
      const startedAt = performance.now();
      await flags.close();
      console.log("closed " + Math.round(performance.now() - startedAt));`;
    const proxy = await startFaultProxy(world.server.port);
    const held = program(closing, proxy.url);
    await until("it has flags", () => held.output().includes("held"), 30_000);
    await proxy.set({ hold: true });
    process.kill(held.pid, "SIGUSR2");
    expect(await held.ended).toBe(0);
    // A limit that the SDK sets itself, not a speed: three times that, on a busy machine.
    expect(Number(/closed (\d+)/.exec(held.output())?.[1])).toBeLessThan(3_000);
    await proxy.close();
    const silent = await silentServer();
    const never = program(
      `
      const flags = createFlags({ url: URL, sdkKey: KEY, app: "short", logger: false });
      console.log((await flags.ready({ timeoutMs: 300 })).state);
      await flags.close();`,
      silent.url,
    );
    expect(await never.ended).toBe(0);
    expect(never.output()).toContain("connecting");
    silent.close();
  });

  test("F13 F56 a program that was frozen converges when it goes on, with every change told once", async () => {
    await world.flag("frozen");
    const one = run(process.execPath, [FOLLOW, world.server.url, world.keys.server, "frozen"]);
    programs.push(one);
    const last = () =>
      one
        .output()
        .trim()
        .split("\n")
        .filter((line) => line.includes('"on"'))
        .map((line) => JSON.parse(line))
        .at(-1);
    await until("it is live", () => last()?.state === "live", 30_000);
    for (let cycle = 0; cycle < (LONG ? 20 : 3); cycle += 1) {
      freeze(one.pid);
      await world.turn("frozen", cycle % 2 === 1);
      await new Promise((resolve) => setTimeout(resolve, LONG ? 5_000 : 300));
      const revision = await world.turn("frozen", cycle % 2 === 0);
      await world.kill("frozen");
      const restored = await world.restore("frozen");
      thaw(one.pid);
      await until("it is at the head", () => last()?.revision >= restored && last().on.includes("frozen") === (cycle % 2 === 0), 60_000);
      expect(revision).toBeLessThan(restored);
    }
  });
});

const FOLLOW = join(dirname(fileURLToPath(import.meta.url)), "follow.mjs");
