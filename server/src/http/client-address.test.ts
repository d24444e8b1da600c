import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import type { SdkKeys } from "../api-types.ts";
import { tables } from "../store/schema.sqlite.ts";
import { openStore } from "../store/store.ts";
import { createClientAddress, parseTrustedProxies } from "./client-address.ts";
import { startTestServer } from "./test-server.ts";

const through = (setting: string) => createClientAddress(parseTrustedProxies(setting) ?? expect.fail("no setting"));

describe("the address of a client", () => {
  test("is the connection's, whatever headers say, when no proxy is trusted", () => {
    expect(through("0")("192.0.2.1", "10.0.0.1")).toBe("192.0.2.1");
    expect(through("0")("::ffff:192.0.2.1", undefined)).toBe("192.0.2.1");
    expect(through("0")(undefined, "10.0.0.1")).toBeUndefined();
  });

  test.each<[string, string, string | undefined, string | undefined]>([
    ["1", "127.0.0.1", "198.51.100.7", "198.51.100.7"],
    ["1", "127.0.0.1", "10.9.9.9, 198.51.100.7", "198.51.100.7"],
    ["2", "127.0.0.1", "10.9.9.9, 198.51.100.7, 10.0.0.2", "198.51.100.7"],
    ["2", "127.0.0.1", "198.51.100.7", "198.51.100.7"],
    ["1", "127.0.0.1", undefined, undefined],
    ["10.0.0.0/8", "10.0.0.1", undefined, undefined],
    ["10.0.0.0/8", "::ffff:a00:1", undefined, undefined],
    ["10.0.0.0/8", "192.0.2.1", undefined, "192.0.2.1"],
    ["1", "127.0.0.1", "unknown", undefined],
    ["1", "127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"],
    ["1", "127.0.0.1", "198.51.100.7:4711", "198.51.100.7"],
    ["127.0.0.1, 10.0.0.0/8", "127.0.0.1", "10.9.9.9, 198.51.100.7, 10.0.0.2", "198.51.100.7"],
    ["10.0.0.0/8", "192.0.2.1", "198.51.100.7", "192.0.2.1"],
    ["10.0.0.0/8", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"],
    ["10.0.0.0/8", "10.0.0.1", "198.51.100.7, nonsense, 10.0.0.2", undefined],
  ])("with TRUSTED_PROXIES=%s, from %s with the header %s, is %s", (setting, connection, header, expected) => {
    expect(through(setting)(connection, header)).toBe(expected);
  });

  test.each(["x", "11", "-1", "10.0.0.0/99", "10.0.0.1,,", "1,2"])("refuses the setting %s", (text) => {
    expect(parseTrustedProxies(text)).toBeUndefined();
  });
});

test("a request that a trusted proxy says nothing of has no address for facts, and that of its connection for limits", async () => {
  const E = "/api/v1/projects/default/environments/development";
  const server = await startTestServer({ env: { TRUSTED_PROXIES: "127.0.0.0/8" } });
  try {
    const cookie = await server.signIn();
    const { browser } = (await (await server.send("GET", `${E}/sdk-keys`, cookie)).json()) as SdkKeys;
    await server.send("POST", "/api/v1/projects/default/flags", cookie, { key: "near" });
    const when = { op: "cidr", attribute: "ip", values: ["127.0.0.0/8"] };
    const rules = [{ id: "r", when, serve: { kind: "variant", variant: "on" } }];
    const edited = await server.send("PATCH", `${E}/flags/near/configuration`, cookie, { mode: "targeted", rules, browser: true });
    expect(edited.status, await edited.text()).toBe(200);
    await server.send("POST", `${E}/groups`, cookie, { key: "beta", kind: "early-access" });
    const ask = (path: string, headers: Record<string, string> = {}) =>
      fetch(`${server.url}/sdk/v1/${path}?key=${browser}`, { method: "POST", headers, body: '{"context":{}}' });

    expect(await (await ask("facts")).json()).toMatchObject({ true: [], false: [] });
    expect(await (await ask("facts", { "x-forwarded-for": "127.0.0.9" })).json()).toMatchObject({ true: [1], false: [] });
    expect(await (await ask("facts", { "x-forwarded-for": "192.0.2.1" })).json()).toMatchObject({ true: [], false: [1] });

    const join = async (from?: string) => (await ask("early-access/beta/join", from ? { "x-forwarded-for": from } : {})).status;
    const silent: number[] = [];
    while (silent.length < 1_000 && silent.at(-1) !== 429) silent.push(await join());
    expect(silent.at(-1)).toBe(429);
    // Limits of the connection itself, not of a name that all share.
    expect(await join("127.0.0.1, 127.0.0.1")).toBe(429);
    expect(await join("192.0.2.1")).toBe(400);
  } finally {
    await server.close();
  }
}, 30_000);

test("behind two proxies it is the one that the outer one saw, whatever the client itself wrote", async () => {
  const server = await startTestServer({ env: { TRUSTED_PROXIES: "2" } });
  const token = await server.token("admin");
  const inner = await proxy(server.port, "127.0.0.7");
  const outer = await proxy((inner.address() as AddressInfo).port, "127.0.0.6");
  try {
    const { port } = outer.address() as AddressInfo;
    const body = JSON.stringify({ key: "through-proxies" });
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", "x-forwarded-for": "10.9.9.9, 10.9.9.8" };
      const path = "/api/v1/projects/default/flags";
      const sent = request({ host: "127.0.0.1", port, localAddress: "127.0.0.5", method: "POST", path, headers }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      sent.on("error", reject);
      sent.end(body);
    });
    expect(status).toBe(201);
  } finally {
    for (const each of [outer, inner]) {
      each.closeAllConnections();
      await new Promise((resolve) => each.close(resolve));
    }
    await server.stop();
  }
  const store = await openStore({ directory: server.data });
  const rows = (await store.db.select().from(tables.audit)).filter(({ action }) => action === "flag.create");
  expect(new Set(rows.map(({ address }) => address))).toEqual(new Set(["127.0.0.5"]));
  await store.close();
  await server.close();
}, 30_000);

/** Hands on to a port, from an address of its own, and adds whom it was asked by, as proxies do. */
async function proxy(to: number, from: string): Promise<Server> {
  const own = createServer((req, res) => {
    const before = req.headers["x-forwarded-for"];
    const headers = { ...req.headers, "x-forwarded-for": `${before === undefined ? "" : `${before}, `}${req.socket.remoteAddress}` };
    const onward = request({ host: "127.0.0.1", port: to, localAddress: from, method: req.method, path: req.url, headers }, (answer) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
    });
    onward.on("error", () => res.destroy());
    req.pipe(onward);
  });
  await new Promise<void>((resolve) => own.listen(0, "127.0.0.1", resolve));
  return own;
}
