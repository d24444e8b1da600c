import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { type AddressInfo, connect as tcp } from "node:net";
import { dirname, join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { NodeFlagsOptions } from "@signalbox/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { folder, freePort, type Program, run, until } from "../world.ts";
import { descriptors, type Follower, has, LONG, live, residentMib, silentServer, startWorld, type World } from "./processes.ts";
import { type FaultProxy, type Faults, startFaultProxy } from "./proxy.ts";

/** One server, a proxy of its own for each test: they run side by side, since most of what they do is wait. */

let world: World;
const cleanUps: (() => unknown)[] = [];
beforeAll(async () => {
  world = await startWorld();
  for (const key of ["steady", "wave"]) await world.flag(key);
});
afterAll(async () => {
  for (const clean of cleanUps.splice(0).reverse()) await clean();
  await world?.stop();
});

async function proxied(faults: Faults = {}, options: Partial<NodeFlagsOptions> = {}): Promise<Follower & { proxy: FaultProxy }> {
  const proxy = await startFaultProxy(world.server.port, faults);
  cleanUps.push(() => proxy.close());
  return { ...world.follow({ url: proxy.url, ...options }), proxy };
}

/** Turns a flag of the test's own over and waits until this program has it. */
async function converges({ flags }: Pick<Follower, "flags">, key: string, waitMs = 40_000): Promise<void> {
  const on = !(
    await world.api.get<{ configuration: { mode: string } }>(`projects/default/environments/development/flags/${key}`)
  ).configuration.mode.includes("on");
  const revision = await world.turn(key, on);
  await until(`${key} is ${on}`, () => (flags.status.revision ?? 0) >= revision && flags.isOn(key) === on, waitMs);
}

const WAIT = { timeout: 300_000 };

describe.concurrent("a bad line", WAIT, () => {
  test("F27 a slow line of 1 KB/s gets the head in the end, and others do not wait for it", async () => {
    await world.flag("f27");
    const slow = await proxied({ bytesPerSecond: 1_000 });
    const healthy = world.follow();
    await Promise.all([live(slow), live(healthy)]);
    let last = 0;
    for (let i = 0; i < 40; i += 1) last = await world.turn("f27", i % 2 === 1);
    await until("the healthy one is there", () => healthy.flags.status.revision === last || (healthy.flags.status.revision ?? 0) > last);
    await until("the slow one too", () => (slow.flags.status.revision ?? 0) >= last && slow.flags.isOn("f27"), 90_000);
  });

  test("F29 a line that died without a word: answers stay, and it is live again when the line is", async () => {
    await world.flag("f29");
    const held = await proxied();
    await live(held);
    await held.proxy.set({ hold: true });
    await world.turn("f29", false);
    expect(held.flags.isOn("f29")).toBe(true);
    await held.proxy.set({});
    await until("the change arrives", () => !held.flags.isOn("f29"), 60_000);
  });

  test("F30 hundreds of connections that end abruptly leave no descriptor behind", async () => {
    const before = descriptors(world.server.pid);
    const head = `GET /sdk/v1/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${world.keys.server}\r\n\r\n`;
    for (let round = 0; round < (LONG ? 20 : 8); round += 1) {
      await Promise.all(
        Array.from({ length: 100 }, (_, i) => {
          return new Promise<void>((resolve) => {
            const socket = tcp(world.server.port, "127.0.0.1", () => {
              socket.write(i % 3 === 0 ? head.slice(0, 40) : head);
              if (i % 2 === 0) socket.once("data", () => socket.resetAndDestroy());
              setTimeout(() => (i % 5 === 0 ? socket.resetAndDestroy() : socket.destroy()), 20 + (i % 7) * 5);
            });
            socket.on("error", () => {});
            socket.once("close", () => resolve());
          });
        }),
      );
    }
    // Other tests of this file hold some.
    await until("the descriptors are back", () => descriptors(world.server.pid) < before + 60, 30_000);
  });

  test("F31 a reset or a cut in the middle of a frame drops the part, and it goes on from what it held", async () => {
    const heads = LONG ? Array.from({ length: 400 }, (_, i) => i * 3) : [0, 1, 90, 250, 333, 480, 600, 777, 900, 1_100];
    for (let from = 0; from < heads.length; from += 10) {
      await Promise.all(
        heads.slice(from, from + 10).map(async (after, i) => {
          const one = await proxied(i % 2 === 0 ? { resetAfter: after } : { cutAfter: after });
          await until("the first line broke", () => one.proxy.accepted > 0 && one.proxy.open === 0, 30_000);
          await one.proxy.set({});
          await until("it is live", () => one.flags.status.state === "live", 60_000);
          expect(one.flags.isOn("steady")).toBe(true);
          await one.flags.close();
        }),
      );
    }
  });

  test("F31 a corrupt byte is never applied: it takes the whole state instead", async () => {
    await world.flag("corrupt");
    const one = await proxied();
    await live(one);
    for (let i = 0; i < 2; i += 1) {
      one.proxy.corruptNext();
      await converges(one, "corrupt", 100_000);
      expect(one.flags.isOn("steady")).toBe(true);
    }
    expect(one.lines.join("\n")).toMatch(/answers stay as they are/);
  });

  test("F31 a wrong byte that would hide a kill is seen by the checksum", async () => {
    await world.flag("hidden-kill");
    const one = await proxied();
    await live(one);
    expect(one.flags.isOn("hidden-kill")).toBe(true);
    // As JSON it stays whole, and its digest fits: only "Killed" means nothing to anybody.
    one.proxy.corruptNext("killed");
    const revision = await world.kill("hidden-kill");
    await until("it is there", () => (one.flags.status.revision ?? 0) >= revision, 100_000);
    expect(one.flags.isOn("hidden-kill")).toBe(false);
    expect(one.lines.join("\n")).toContain("does not fit its checksum");
  });

  test("F36 connections that are taken and answered by nothing: ready() comes back within its time, and they are given up", async () => {
    const silent = await silentServer();
    cleanUps.push(() => silent.close());
    const one = world.follow({ url: silent.url });
    expect((await one.flags.ready()).state).toBe("connecting");
    expect(one.flags.isOn("steady", {}, { default: true })).toBe(true);
    await until("it tries again", () => silent.accepted >= 2, 60_000);
    expect(one.lines[0]).toMatch(/stays silent/);
  });

  test("F39 a state that ends before its length says is no state; the last good one stays", async () => {
    await world.flag("f39");
    const one = await proxied({}, { transport: "poll", pollMs: 1_000 });
    await live(one);
    await one.proxy.set({ cutAfter: 450 });
    await world.turn("f39", false);
    await until("it has noticed", () => one.flags.status.state === "stale", 60_000);
    expect(one.flags.isOn("f39")).toBe(true);
    await one.proxy.set({});
    await until("it has the new state", () => !one.flags.isOn("f39"), 60_000);
  });

  test("refused connections are told once, answers stay, and it comes back", async () => {
    const one = await proxied();
    await live(one);
    await one.proxy.set({ refuse: true });
    one.proxy.cut();
    await until("it is told", () => one.lines.some((line) => /ECONNREFUSED.*answers stay as they are/.test(line)), 30_000);
    expect(one.flags.isOn("steady")).toBe(true);
    await one.proxy.set({});
    await until("it is live", () => one.flags.status.state === "live", 60_000);
    expect(one.lines.filter((line) => line.includes("ECONNREFUSED"))).toHaveLength(1);
  });
});

describe.concurrent("a proxy in between", WAIT, () => {
  test.skipIf(!has("nginx"))("F32 nginx that collects what streams, even its head: it takes the state by GET instead", async () => {
    // nginx alone passes on what it has as soon as it would wait: behind it, a line that gathers holds back as others do.
    const gathering = await startFaultProxy(world.server.port, { gatherBytes: 60_000 });
    const { url, stop } = await startNginx(gathering.port, "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;");
    cleanUps.push(() => gathering.close(), stop);
    const one = world.follow({ url });
    await until("it polls", () => one.flags.status.state === "polling", 60_000);
    expect(one.flags.isOn("steady")).toBe(true);
  });

  test.skipIf(!has("haproxy"))("F33 haproxy that cuts what is idle for three seconds: each cut is made good", async () => {
    await world.flag("f33");
    const { url, stop } = await startHaproxy(3);
    cleanUps.push(stop);
    const one = world.follow({ url });
    await live(one);
    await until("it was cut twice", () => one.lines.length > 0 && one.flags.status.state !== "live", 60_000);
    expect(one.flags.isOn("steady")).toBe(true);
    await converges(one, "f33", 60_000);
  });

  test("F34 a proxy that takes headers away and compresses: the basis is in the address, and what cannot be read leads to polling", async () => {
    const seen: IncomingHttpHeaders[] = [];
    const addresses: string[] = [];
    let compress = false;
    const middle = createHttpServer((req, res) => {
      seen.push(req.headers);
      addresses.push(req.url ?? "");
      const headers = { ...req.headers };
      for (const name of ["last-event-id", "cache-control", "accept"]) delete headers[name];
      const up = httpRequest({ host: "127.0.0.1", port: world.server.port, method: req.method, path: req.url, headers }, (answer) => {
        const packs = compress && /event-stream/.test(answer.headers["content-type"] ?? "");
        const { "cache-control": _gone, "x-accel-buffering": _too, ...rest } = answer.headers;
        res.writeHead(answer.statusCode ?? 502, packs ? { ...rest, "content-encoding": "gzip" } : rest);
        res.flushHeaders();
        answer.on("data", (piece) => res.write(packs ? gzipSync(piece) : piece));
        answer.on("end", () => res.end());
        answer.on("error", () => res.destroy());
      });
      up.on("error", () => res.destroy());
      res.on("close", () => up.destroy());
      req.pipe(up);
    });
    await new Promise<void>((resolve) => middle.listen(0, "127.0.0.1", resolve));
    cleanUps.push(() => {
      middle.closeAllConnections();
      middle.close();
    });
    const one = world.follow({ url: `http://127.0.0.1:${(middle.address() as AddressInfo).port}` });
    await until("it streams", () => one.flags.status.state === "live", 30_000);
    middle.closeAllConnections();
    await until(
      "it comes back",
      () => addresses.filter((address) => address.includes("basis=")).length > 0 && one.flags.status.state === "live",
      30_000,
    );
    compress = true;
    middle.closeAllConnections();
    await until("it polls", () => one.flags.status.state === "polling", 90_000);
    expect(one.flags.isOn("steady")).toBe(true);
  });
});

describe.concurrent("names and certificates", WAIT, () => {
  const mayUnshare = process.getuid?.() === 0 && has("unshare");
  if (!mayUnshare) console.log("F37 is left out: a hosts file of one's own needs root and unshare");
  test.skipIf(!mayUnshare)("F37 a name that is not known, then is, then means another address: each attempt asks anew", async () => {
    const own = folder("hosts");
    cleanUps.push(() => own.remove());
    const hosts = join(own.path, "hosts");
    writeFileSync(hosts, "127.0.0.1 localhost\n");
    const port = await freePort();
    const first = await startFaultProxy(world.server.port, {}, { port });
    const second = await startFaultProxy(world.server.port, {}, { host: "127.0.0.2", port });
    cleanUps.push(
      () => first.close(),
      () => second.close(),
    );
    const program = run("unshare", [
      "-m",
      "sh",
      "-c",
      `mount --bind ${hosts} /etc/hosts && exec "$0" "$@"`,
      process.execPath,
      FOLLOW,
      `http://flags.test:${port}`,
      world.keys.server,
      "steady",
    ]);
    cleanUps.push(() => program.stop("SIGKILL"));
    await until("it says that there is no such name", () => /ENOTFOUND|EAI_AGAIN/.test(program.output()), 30_000);
    writeFileSync(hosts, "127.0.0.1 localhost\n127.0.0.1 flags.test\n");
    await until("it is live", () => linesOf(program).some(({ state, on }) => state === "live" && on?.includes("steady")), 60_000);
    writeFileSync(hosts, "127.0.0.1 localhost\n127.0.0.2 flags.test\n");
    await first.set({ refuse: true });
    first.cut();
    await until("it went to the other address", () => second.open > 0, 60_000);
  });

  test.skipIf(!has("openssl"))(
    "F38 a certificate that is over, of another host or of nobody: a clear sentence once, answers stay, and a good one is taken",
    async () => {
      const own = folder("tls");
      cleanUps.push(() => own.remove());
      const made = certificates(own.path);
      const port = await freePort();
      let secure = await startTls(made.good, port);
      cleanUps.push(() => secure.close());
      const program = run(process.execPath, [FOLLOW, `https://localhost:${port}`, world.keys.server, "steady"], {
        env: { NODE_EXTRA_CA_CERTS: made.authority },
      });
      cleanUps.push(() => program.stop("SIGKILL"));
      const isLive = () => linesOf(program).findLast(({ state }) => state !== undefined)?.state === "live";
      await until("it is live by TLS", isLive, 60_000);
      const wrong = [
        [made.over, /CERT_HAS_EXPIRED/],
        [made.otherHost, /ERR_TLS_CERT_ALTNAME_INVALID/],
        [made.unknown, /DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED/],
      ] as const;
      for (const [certificate, code] of wrong) {
        await secure.close();
        secure = await startTls(certificate, port);
        const refused = () => linesOf(program).filter(({ said }) => said !== undefined && code.test(said)).length;
        const tried = secure.tried;
        await until("it has tried", () => secure.tried > tried, 90_000);
        if (certificate === made.over) {
          await until("it says why", () => refused() === 1, 60_000);
          expect(program.output()).toMatch(/cannot reach https:\/\/localhost:\d+ \(CERT_HAS_EXPIRED\); answers stay as they are/);
        }
      }
      await secure.close();
      secure = await startTls(made.good, port);
      await until("it is live again", isLive, 90_000);
      expect(linesOf(program).filter(({ said }) => said?.includes("cannot reach")).length).toBeLessThanOrEqual(2);
    },
  );
});

describe("many that do not read", WAIT, () => {
  // What a socket has been given is the kernel's: Node does not see that nobody reads it. Only what the kernel no longer takes counts as
  // waiting, so a client that reads nothing is found when its share of the kernel is full, or by its lease.
  test("F28 a stalled client holds a bounded part of the server and holds up nobody", async () => {
    const stalled = 150;
    const body = "x".repeat(8_000);
    await world.api.send("POST", "projects/default/flags", { key: "wide", type: "string", values: { a: "a", b: "b" }, off: "a", on: "b" });
    const before = residentMib(world.server.pid);
    const sockets = await Promise.all(
      Array.from({ length: stalled }, () => {
        return new Promise<ReturnType<typeof tcp>>((resolve, reject) => {
          const socket = tcp(world.server.port, "127.0.0.1");
          socket.once("error", reject);
          socket.write(`GET /sdk/v1/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${world.keys.server}\r\n\r\n`);
          socket.once("data", () => {
            socket.pause();
            socket.on("error", () => {});
            resolve(socket);
          });
        });
      }),
    );
    cleanUps.push(() => {
      for (const socket of sockets) socket.destroy();
    });
    const healthy = world.follow();
    await live(healthy);
    let last = 0;
    for (let i = 0; i < 60; i += 1) {
      const made = await world.api.send<{ revision: number }>(
        "PATCH",
        "projects/default/environments/development/flags/wide/configuration",
        {
          mode: "on",
          values: { a: `${i}${body}`, b: "b" },
        },
      );
      last = made.revision;
    }
    await until("the healthy one is at the head", () => (healthy.flags.status.revision ?? 0) >= last);
    // One frame in flight for each at the most, and that frame is shared.
    expect(residentMib(world.server.pid) - before).toBeLessThan(150);
  });
});

const FOLLOW = join(dirname(fileURLToPath(import.meta.url)), "follow.mjs");

interface Line {
  readonly state?: string;
  readonly revision?: number;
  readonly on?: readonly string[];
  readonly said?: string;
}

function linesOf(program: Program): Line[] {
  return program
    .output()
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Line);
}

async function startNginx(target: number, settings: string): Promise<{ url: string; stop(): Promise<void> }> {
  const own = folder("nginx");
  const port = await freePort();
  const file = join(own.path, "nginx.conf");
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${join(own.path, name)};`).join(" ");
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${join(own.path, "pid")}; error_log ${join(own.path, "error.log")};
    events {} http { access_log off; ${temp}
    server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${target}; proxy_http_version 1.1; ${settings} } } }`,
  );
  const program = run("nginx", ["-c", file, "-p", own.path]);
  await answers(`http://127.0.0.1:${port}/healthz`, program);
  return { url: `http://127.0.0.1:${port}`, stop: () => program.stop("SIGKILL").finally(own.remove) };
}

async function startHaproxy(timeoutSeconds: number): Promise<{ url: string; stop(): Promise<void> }> {
  const own = folder("haproxy");
  const port = await freePort();
  const file = join(own.path, "haproxy.cfg");
  writeFileSync(
    file,
    `defaults\n mode http\n timeout connect 5s\n timeout client ${timeoutSeconds}s\n timeout server ${timeoutSeconds}s\n` +
      `frontend f\n bind 127.0.0.1:${port}\n default_backend b\nbackend b\n server s 127.0.0.1:${world.server.port}\n`,
  );
  const program = run("haproxy", ["-db", "-f", file]);
  await answers(`http://127.0.0.1:${port}/healthz`, program);
  return { url: `http://127.0.0.1:${port}`, stop: () => program.stop("SIGKILL").finally(own.remove) };
}

async function answers(url: string, program: Program): Promise<void> {
  await until(`${url} answers`, async () => {
    const over = await Promise.race([program.ended, Promise.resolve(undefined)]);
    if (over !== undefined) throw new Error(`the proxy ended with ${over}:\n${program.output()}`);
    return fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
  });
}

interface Certificate {
  readonly key: Buffer;
  readonly cert: Buffer;
}

/** An authority of our own, and four certificates: a good one, one that is over, one for another host, one that nobody signed. */
function certificates(path: string) {
  const ssl = (...args: string[]) => execFileSync("openssl", args, { cwd: path, stdio: "pipe" });
  const authority = join(path, "authority.pem");
  ssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "authority.key", "-out", authority, "-days", "2", "-subj", "/CN=tests");
  mkdirSync(join(path, "new"));
  writeFileSync(join(path, "index"), "");
  writeFileSync(
    join(path, "ca.cnf"),
    "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nnew_certs_dir=new\nrand_serial=yes\ndefault_md=sha256\npolicy=p\ncopy_extensions=copy\nunique_subject=no\n[p]\ncommonName=supplied\n",
  );
  const signed = (name: string, host: string, from: string, to: string): Certificate => {
    ssl(
      "req",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.csr`,
      "-subj",
      `/CN=${host}`,
      "-addext",
      `subjectAltName=DNS:${host}`,
    );
    ssl(
      "ca",
      "-batch",
      "-notext",
      "-config",
      "ca.cnf",
      "-cert",
      authority,
      "-keyfile",
      "authority.key",
      "-in",
      `${name}.csr`,
      "-out",
      `${name}.pem`,
      "-startdate",
      from,
      "-enddate",
      to,
    );
    return { key: readFileSync(join(path, `${name}.key`)), cert: readFileSync(join(path, `${name}.pem`)) };
  };
  ssl(
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-keyout",
    "unknown.key",
    "-out",
    "unknown.pem",
    "-days",
    "2",
    "-subj",
    "/CN=localhost",
    "-addext",
    "subjectAltName=DNS:localhost",
  );
  return {
    authority,
    good: signed("good", "localhost", "20200101000000Z", "20490101000000Z"),
    over: signed("over", "localhost", "20200101000000Z", "20200201000000Z"),
    otherHost: signed("other", "elsewhere.test", "20200101000000Z", "20490101000000Z"),
    unknown: { key: readFileSync(join(path, "unknown.key")), cert: readFileSync(join(path, "unknown.pem")) },
  };
}

/** Speaks TLS with the certificate and passes on to the server. */
async function startTls(certificate: Certificate, port: number): Promise<{ readonly tried: number; close(): Promise<void> }> {
  const sockets = new Set<{ destroy(): void }>();
  let tried = 0;
  const secure = createTlsServer({ ...certificate }, (socket) => {
    const up = tcp(world.server.port, "127.0.0.1");
    for (const one of [socket, up]) {
      sockets.add(one);
      one.on("error", () => {});
    }
    socket.pipe(up);
    up.pipe(socket);
    socket.on("close", () => up.destroy());
    up.on("close", () => socket.destroy());
  });
  secure.on("connection", () => {
    tried += 1;
  });
  secure.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => secure.listen(port, resolve));
  return {
    get tried() {
      return tried;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => secure.close(() => resolve()));
    },
  };
}
