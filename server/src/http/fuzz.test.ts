import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { SdkKeys } from "../api-types.ts";
import { acknowledgementBody, contextBody, membershipBody, usageBody } from "../delivery/sdk-body.ts";
import { CATALOGUE, type ProblemCode } from "../errors.ts";
import { brokenAuditRow } from "../store/audit.ts";
import { openStore } from "../store/store.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

/** Requests in all, and how many of them run at once: writes are serialized anyway, and reads meet them half-way. */
const isLong = process.env.LONG === "1";
const REQUESTS = isLong ? 1_000_000 : 8_000;
const AT_ONCE = 100;
/** Those that are answered together, or after a wait: the others do not wait for them. */
const SLOW = /^\/sdk\/v1\/(early-access\/[^/]+\/(join|leave)|usage)|waitMs=/;
const SLOW_MAX = 2_000;
/** What the heap may be larger at the end than after a quarter of the requests, with everything collected that nobody holds. */
const GROWTH_BYTES_MAX = 48 * 1024 * 1024;

let server: TestServer;
let requests: fc.Arbitrary<Sent>;
beforeAll(async () => {
  server = await startTestServer();
  const cookie = await server.signIn();
  const keys = await Promise.all(
    ["development", "production"].map(async (environment) => {
      const answer = await server.send("GET", `/api/v1/projects/default/environments/${environment}/sdk-keys`, cookie);
      return (await answer.json()) as SdkKeys;
    }),
  );
  // So that most requests meet what they name.
  for (const key of FLAGS) await server.send("POST", "/api/v1/projects/default/flags", cookie, { key });
  for (const environment of ["development", "production"]) {
    const groups = `/api/v1/projects/default/environments/${environment}/groups`;
    await server.send("POST", groups, cookie, { key: "early", kind: "early-access" });
    await server.send("POST", groups, cookie, { key: "g", kind: "list" });
  }
  const token = await server.token("admin");
  const document = (await (await fetch(`${server.url}/api/v1/openapi.json`)).json()) as Document;
  requests = fc.oneof(
    { weight: 8, arbitrary: adminRequests(document, token) },
    { weight: 2, arbitrary: sdkRequests(keys.flatMap(({ server, browser }) => [server ?? "", browser ?? ""])) },
    { weight: 1, arbitrary: killPageRequests(cookie) },
  );
});
afterAll(() => server.close());

describe("any input", () => {
  it(
    "is answered without a 5xx, by a problem that the catalogue knows, and leaves a data folder that opens again",
    async () => {
      const waiting = new Set<Promise<void>>();
      const failures: unknown[] = [];
      let runs = 0;
      let quarter = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(requests, { minLength: AT_ONCE, maxLength: AT_ONCE }), async (batch) => {
          const slow = batch.filter(({ path }) => SLOW.test(path));
          for (const sent of slow) {
            const answered: Promise<void> = check(sent)
              .catch((error: unknown) => void failures.push(error))
              .finally(() => waiting.delete(answered));
            waiting.add(answered);
          }
          await Promise.all(batch.filter((sent) => !slow.includes(sent)).map(check));
          while (waiting.size > SLOW_MAX) await Promise.race(waiting);
          runs += 1;
          if (runs === Math.floor(REQUESTS / AT_ONCE / 4)) quarter = heapBytes();
        }),
        // What was sent before is part of the case, so a smaller one would be another.
        { numRuns: REQUESTS / AT_ONCE, endOnFailure: true },
      );
      await Promise.all(waiting);
      expect(failures).toEqual([]);
      const grown = heapBytes() - quarter;
      console.log(
        `${REQUESTS.toLocaleString("en")} requests; the heap grew by ${(grown / 1024 / 1024).toFixed(1)} MiB after the first quarter`,
      );
      expect(grown).toBeLessThan(GROWTH_BYTES_MAX);
      await server.stop();
      const store = await openStore({ directory: server.data });
      expect(await brokenAuditRow(store.db)).toBeUndefined();
      const left = store.project("default")?.environments.map(({ info }) => info.key) ?? [];
      expect(left).toEqual(expect.arrayContaining(["development", "production"]));
      await store.close();
    },
    isLong ? 10_800_000 : 300_000,
  );
});

/** With everything collected that nobody holds. */
function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array<ArrayBuffer> | undefined;
}

async function check({ method, path, headers, body }: Sent): Promise<void> {
  const sent = `${method} ${path} ${JSON.stringify(headers)} ${String(body).slice(0, 2_000)}`;
  const answer = await fetch(server.url + path, { method, headers, redirect: "manual", ...(body !== undefined && { body }) });
  const text = await answer.text();
  const told = `${sent}\n${answer.status} ${text.slice(0, 2_000)}`;
  expect(answer.status, told).toBeLessThan(500);
  if (answer.status < 400 || method === "HEAD" || path.startsWith("/kill")) return;
  expect(answer.headers.get("content-type"), told).toBe("application/problem+json");
  const { code, detail, status } = JSON.parse(text) as { code: ProblemCode; detail: string; status: number };
  expect(CATALOGUE[code]?.status, told).toBe(answer.status);
  expect(status, told).toBe(answer.status);
  expect(detail, told).toMatch(/\w+ \w+/);
  // A pattern is no sentence.
  expect(detail, told).not.toMatch(/must match pattern/);
  expect(text, told).not.toMatch(/node_modules|\.ts:\d|SQLITE_|drizzle/i);
}

const HOSTILE_TEXTS = [
  "",
  " ",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "\u0000",
  "a\u0000b",
  "\ud800",
  "\udfff\ud800",
  "\ufeff",
  "😀",
  "é",
  "e\u0301",
  "..",
  "../..",
  "%2e%2e",
  "%00",
  "%",
  "a/b",
  "a?b#c",
  "' or 1=1 --",
  "\r\nset-cookie: a=b",
  "<script>",
  "\u001b[2J",
  "\u202e",
  "null",
  "*",
  "-1",
  "NaN",
  "1e400",
  "x".repeat(101),
  "x".repeat(1_001),
];
const HOSTILE_NUMBERS = [-1, 0, -0, 1e-7, 0.0005, 0.1 + 0.2, 33.333, 100.001, 2 ** 31, 2 ** 53, 1e21, 1e308, -1e308, Number.MIN_VALUE];
const hostileText = fc.constantFrom(...HOSTILE_TEXTS);
const hostile: fc.Arbitrary<unknown> = fc.oneof(
  hostileText,
  fc.constantFrom<unknown>(...HOSTILE_NUMBERS, null, true, false, [], {}, [[]], nested(70), nested(20)),
  fc.jsonValue({ maxDepth: 3 }),
  hostileText.map((key) => Object.fromEntries([[key, key]])),
);

const unit = fc.constantFrom("u1", "u2", "\ud800", "\udc00", "\ufffd", "é", "e\u0301", "a\u0000b", "a");

/** Few keys, so that requests meet the same flags and groups again and again. */
const FLAGS = ["a", "b", "c", "a:b", "a:b:c", "constructor", "toString", "x.y"];
const GROUPS = ["g", "h", "constructor", "early"];
const known: Readonly<Record<string, fc.Arbitrary<string>>> = {
  project: fc.constantFrom("default"),
  environment: fc.constantFrom("development", "production"),
  flag: fc.constantFrom(...FLAGS),
  parent: fc.constantFrom(...FLAGS),
  group: fc.constantFrom(...GROUPS),
  key: fc.constantFrom(...FLAGS, ...GROUPS),
  off: fc.constantFrom("off", "on", "v"),
  on: fc.constantFrom("on", "off", "w"),
  variant: fc.constantFrom("on", "off", "v", "w"),
  revision: fc.nat(50).map(String),
  // The first are the token that this test lives on, and the keys of its programs.
  id: fc.integer({ min: 5, max: 40 }).map(String),
  unit,
  add: unit,
  remove: unit,
};
const pathText = (name: string) => fc.oneof({ weight: 9, arbitrary: known[name] ?? hostileText }, { weight: 1, arbitrary: hostileText });

interface Schema {
  readonly $ref?: string;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly type?: string | readonly string[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly propertyNames?: Schema;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}
interface Operation {
  readonly parameters?: readonly { readonly in: string; readonly name: string; readonly schema: Schema }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
}

/** Values that fit a schema, but for one in `slip` parts, which is anything. */
function fitting(schema: Schema, components: Document["components"]["schemas"], slip: number, name = "", depth = 0): fc.Arbitrary<unknown> {
  const inner = (part: Schema, partName = name) => fitting(part, components, slip, partName, depth + 1);
  const right = (): fc.Arbitrary<unknown> => {
    if (schema.$ref)
      return depth > 6 ? fc.constant({ op: "exists", attribute: "a" }) : inner(components[schema.$ref.split("/").at(-1) ?? ""] ?? {});
    const choices = schema.anyOf ?? schema.oneOf;
    if (choices) return fc.oneof(...choices.map((choice) => inner(choice)));
    if (schema.const !== undefined) return fc.constant(schema.const);
    if (schema.enum) return fc.constantFrom(...schema.enum);
    const types = typeof schema.type === "string" ? [schema.type] : (schema.type ?? []);
    if (types.length > 1) return fc.oneof(...types.map((type) => inner({ ...schema, type })));
    switch (types[0]) {
      case "string":
        return (
          known[name] ??
          (schema.pattern ? fc.stringMatching(new RegExp(schema.pattern)) : fc.string({ minLength: schema.minLength ?? 0, maxLength: 12 }))
        );
      case "integer":
        return fc.integer({ min: Math.max(schema.minimum ?? 0, -1_000), max: Math.min(schema.maximum ?? 1_000, 1_000) });
      case "number":
        return fc.oneof(
          fc.constantFrom(0, 1, 10, 50, 100),
          fc.integer({ min: 0, max: 100_000 }).map((n) => n / 1_000),
        );
      case "boolean":
        return fc.boolean();
      case "null":
        return fc.constant(null);
      case "array":
        return depth > 8 ? fc.constant([]) : fc.array(inner(schema.items ?? {}), { minLength: schema.minItems ?? 0, maxLength: 3 });
      case "object": {
        const fields = Object.entries(schema.properties ?? {});
        if (fields.length === 0)
          return fc.dictionary(fc.constantFrom("on", "off", "v", "w", "constructor"), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 });
        const record = Object.fromEntries(fields.map(([field, part]) => [field, inner(part, field)]));
        return fc.record(record, { requiredKeys: [...(schema.required ?? [])] });
      }
      default:
        return fc.jsonValue({ maxDepth: 2 });
    }
  };
  return slip === 0 ? right() : fc.oneof({ weight: slip, arbitrary: right() }, { weight: 1, arbitrary: hostile });
}

function bodies(schema: Schema, components: Document["components"]["schemas"] = {}): fc.Arbitrary<string | Uint8Array<ArrayBuffer>> {
  return fc.oneof(
    { weight: 10, arbitrary: fitting(schema, components, 0).map((value) => JSON.stringify(value)) },
    { weight: 6, arbitrary: fitting(schema, components, 12).map((value) => JSON.stringify(value)) },
    { weight: 2, arbitrary: hostile.map((value) => JSON.stringify(value)) },
    {
      weight: 1,
      arbitrary: fc.constantFrom<string | Uint8Array<ArrayBuffer>>(
        "",
        "{",
        "[",
        '"',
        "nul",
        '{"__proto__":{"a":1}}',
        '{"a":1,"a":2}',
        '{"key":1e400}',
        "\ufeff{}",
        `${"[".repeat(10_000)}`,
        `{"x":${'{"x":'.repeat(5_000)}`,
        new Uint8Array([0xff, 0xfe, 0x7b]),
        new Uint8Array([0x22, 0xc0, 0x80, 0x22]),
      ),
    },
  );
}

function isPlace(name: string): boolean {
  return name === "project" || name === "environment";
}

function adminRequests({ paths, components }: Document, token: string): fc.Arbitrary<Sent> {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const arbitraries = operations
    // Endless, and tested elsewhere.
    .filter(({ path }) => path !== "/api/v1/events")
    .map(({ path, method, operation }): { weight: number; arbitrary: fc.Arbitrary<Sent> } => {
      const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
      const queries = (operation.parameters ?? []).filter((parameter) => parameter.in === "query").map(({ name }) => name);
      const shape = operation.requestBody?.content["application/json"]?.schema;
      const arbitrary = fc
        .record({
          // Only what other requests have made is deleted, so that there is something left to ask for.
          values: fc.tuple(
            ...names.map((name) => pathText(method === "delete" && path.endsWith(`/{${name}}`) && isPlace(name) ? "key" : name)),
          ),
          query: fc.dictionary(fc.constantFrom("x", ...queries), fc.oneof(hostileText, fc.nat(5_000).map(String)), { maxKeys: 3 }),
          ifMatch: fc.constantFrom("*", "*", '"c1-1-1"', 'W/"i1-1"', "garbage", undefined, undefined),
          type: fc.constantFrom(
            ...Array(12).fill("application/json"),
            "application/json; charset=utf-16",
            "text/plain",
            "application/x-www-form-urlencoded",
          ),
          body: shape ? bodies(shape, components.schemas) : fc.constantFrom(undefined, undefined, "{}", "x"),
        })
        .map(({ values, query, ifMatch, type, body }): Sent => {
          const isRead = method === "get";
          const target = names.reduce((at, name, i) => at.replace(`{${name}}`, encoded(values[i] ?? "")), path);
          return {
            method: method.toUpperCase(),
            path: withQuery(target, query),
            headers: {
              authorization: `Bearer ${token}`,
              ...(ifMatch && { "if-match": ifMatch }),
              ...(!isRead && body !== undefined && { "content-type": type }),
            },
            body: isRead ? undefined : body,
          };
        });
      // Each attempt to sign in takes a hash of 50 ms, an effect looks at thousands of contexts.
      const isDear = /^\/api\/v1\/(session|setup|password|invitations\/accept)$|\/effect$/.test(path) && method === "post";
      return { weight: isDear ? 1 : method === "get" ? 8 : 24, arbitrary };
    });
  return fc.oneof(...arbitraries);
}

function sdkRequests(keys: readonly string[]): fc.Arbitrary<Sent> {
  const post = (path: fc.Arbitrary<string>, shape: z.ZodType) =>
    fc.record({ path, method: fc.constant("POST"), body: bodies(z.toJSONSchema(shape) as Schema) });
  const group = pathText("group").map(encoded);
  const joining = fc.tuple(group, fc.constantFrom("join", "leave")).map(([key, verb]) => `/sdk/v1/early-access/${key}/${verb}`);
  const member = post(joining, membershipBody);
  const get = (path: string) =>
    fc.record({ path: fc.constant(path), method: fc.constantFrom("GET", "HEAD", "PUT", "OPTIONS"), body: fc.constant(undefined) });
  const arbitrary: fc.Arbitrary<Omit<Sent, "headers">> = fc.oneof(
    member,
    member,
    post(joining, contextBody),
    post(fc.constant("/sdk/v1/early-access"), contextBody),
    post(fc.constant("/sdk/v1/usage"), usageBody),
    post(fc.constant("/sdk/v1/ack"), acknowledgementBody),
    get("/sdk/v1/state"),
    get("/sdk/v1/early-access"),
    get("/sdk/node.tgz/x"),
  );
  return fc
    .record({
      request: arbitrary,
      key: fc.constantFrom(...keys, "sb_server_x", "%00"),
      inQuery: fc.boolean(),
      unit: hostileText,
      origin: fc.constantFrom(undefined, "https://a.example", "null"),
    })
    .map(({ request, key, inQuery, unit, origin }) => ({
      ...request,
      path: withQuery(request.path, { ...(inQuery && { key }), unit }),
      headers: { ...(!inQuery && { authorization: `Bearer ${key}` }), ...(origin && { origin }), "content-type": "text/plain" },
    }));
}

function killPageRequests(cookie: string): fc.Arbitrary<Sent> {
  const field = fc.oneof(hostileText, fc.constantFrom("default", "development", "production", "a", "b", "kill", "restore", "yes", "1"));
  const fields = fc.dictionary(
    fc.constantFrom("project", "environment", "flag", "do", "revision", "changed", "seen", "search", "csrf", "reason", "next"),
    field,
  );
  const form = { cookie, "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded" };
  return fc.oneof(
    fc
      .tuple(fc.constantFrom("/kill", "/kill/confirm", "/kill/receipt", "/kill/x"), fields)
      .map(([path, query]): Sent => ({ method: "GET", path: withQuery(path, query), headers: { cookie }, body: undefined })),
    fields.map((query): Sent => ({ method: "POST", path: "/kill/do", headers: form, body: withQuery("", query).slice(1) })),
  );
}

function encoded(text: string): string {
  return encodeURIComponent(Buffer.from(text).toString());
}

function withQuery(path: string, query: Readonly<Record<string, string>>): string {
  const text = new URLSearchParams(query).toString();
  return text === "" ? path : `${path}?${text}`;
}

function nested(depth: number): unknown {
  return depth === 0 ? {} : { op: "not", of: nested(depth - 1) };
}
