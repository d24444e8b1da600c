import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestServer, type TestServer } from "../http/test-server.ts";

const TOKEN = "a-token-for-metrics-only-0123";

let server: TestServer;
let cookie: string;
beforeAll(async () => {
  server = await startTestServer({ env: { SIGNALBOX_METRICS_TOKEN: TOKEN, SIGNALBOX_HEARTBEAT: "off" } });
  cookie = await server.signIn();
});
afterAll(() => server.close());

const doc = (name: string) => readFileSync(new URL(`../../../docs/${name}`, import.meta.url), "utf8");
const ask = (headers: Record<string, string>) => fetch(`${server.url}/metrics`, { headers });
const read = async () => (await ask({ authorization: `Bearer ${TOKEN}` })).text();
/** The value of the first line with this name and these labels. */
const value = (text: string, line: string) => {
  const found = text.split("\n").find((candidate) => candidate.startsWith(`${line} `));
  return found === undefined ? undefined : Number(found.slice(line.length + 1));
};
const own = (text: string) => [...text.matchAll(/^# TYPE (signalbox_\w+) /gm)].map(([, name = ""]) => name);

describe("GET /metrics", () => {
  it("is closed to nobody and to wrong tokens, and open to tokens, to people who are signed in, and to its own token", async () => {
    for (const headers of [{}, { authorization: `Bearer ${TOKEN}x` }, { authorization: "Bearer x" }] as Record<string, string>[]) {
      const answer = await ask(headers);
      expect(answer.status).toBe(401);
      expect(answer.headers.get("content-type")).toBe("application/problem+json");
    }
    const allowed = [{ authorization: `Bearer ${TOKEN}` }, { authorization: `Bearer ${await server.token("kill")}` }, { cookie }];
    for (const headers of allowed as Record<string, string>[]) {
      const answer = await ask(headers);
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    }
    // It opens nothing else.
    expect((await fetch(`${server.url}/api/v1/projects`, { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(401);
  });

  it("follows a kill: revision, writes, streams, and the time until it was written", async () => {
    await server.flag("checkout");
    const production = 'project="default",environment="production"';
    const keys = await (
      await fetch(`${server.url}/api/v1/projects/default/environments/production/sdk-keys`, { headers: { cookie } })
    ).text();
    const key = /sb_server_production_[\w-]+/.exec(keys)?.[0] ?? "";
    const stream = await fetch(`${server.url}/sdk/v1/stream`, { headers: { authorization: `Bearer ${key}` } });
    await stream.body?.getReader().read();
    const before = await read();
    const kill = await server.send("POST", "/api/v1/projects/default/environments/production/flags/checkout/kill", cookie, {});
    expect(kill.status).toBe(200);
    const after = await read();
    expect(value(after, `signalbox_revision{${production}}`)).toBe((value(before, `signalbox_revision{${production}}`) ?? 0) + 1);
    expect(value(after, 'signalbox_writes_total{action="flag.kill"}')).toBe(1);
    expect(value(after, `signalbox_streams{${production},projection="server"}`)).toBe(1);
    expect(value(after, 'signalbox_frames_total{event="change"}')).toBe(1);
    expect(value(after, 'signalbox_propagation_seconds_count{until="written"}')).toBe(1);
    expect(value(after, "signalbox_overloaded")).toBe(0);
    expect(value(after, "signalbox_database_age_seconds")).toBeLessThan(5);
    expect(value(after, "signalbox_connections")).toBeGreaterThan(0);
  });

  it("has the metrics of the table in docs/metrics.md and no others of its own", async () => {
    const listed = [...doc("metrics.md").matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
    expect(listed.sort()).toEqual(own(await read()).sort());
  });

  it("has every metric that docs/alerts.yml asks for", async () => {
    const names = own(await read());
    const expressions = [...doc("alerts.yml").matchAll(/^\s+expr: (.+)$/gm)].map(([, expression = ""]) => expression);
    expect(expressions.length).toBeGreaterThan(5);
    for (const expression of expressions) {
      for (const [asked] of expression.matchAll(/signalbox_\w+/g)) expect(names).toContain(asked.replace(/_(bucket|count|sum)$/, ""));
    }
  });
});
