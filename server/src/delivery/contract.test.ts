import { createHmac } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { crc32, gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestServer, type TestServer } from "../http/test-server.ts";

/** A real server keeps the contract of `core/contract`, whose README explains the form: raw bytes over real sockets. */

interface ServerCase {
  readonly name: string;
  readonly steps: readonly Step[];
}

type Step =
  | { readonly ask: Ask }
  | { readonly raw: string }
  | { readonly head: { readonly status?: number; readonly statusOneOf?: readonly number[]; readonly headers?: Fields } }
  | { readonly frame: { readonly event: string; readonly id?: string | null; readonly crc?: "*"; readonly data?: Fields } }
  | { readonly body: Fields; readonly gzip?: boolean; readonly with?: string; readonly without?: string }
  | { readonly closed: true }
  | { readonly change: string }
  | { readonly kill: string }
  | { readonly restore: string }
  | { readonly secureMode: boolean };

interface Ask {
  readonly target: string;
  readonly method?: string;
  readonly headers: { readonly [name: string]: string };
  readonly body?: string;
  /** What `~` in the body stands for. */
  readonly fill?: { readonly text: string; readonly times: number };
  readonly chunk?: number;
  readonly rest?: string;
}

type Fields = { readonly [field: string]: unknown };

const folder = new URL("../../../core/contract/", import.meta.url);
const cases = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(new URL(name, folder), "utf8")) as { side: string; topic: string; cases: ServerCase[] })
  .filter(({ side }) => side === "server")
  .flatMap(({ topic, cases }) => cases.map((one) => ({ title: `${topic}: ${one.name}`, one })));

const WAIT_MS_MAX = 15_000;
const ENVIRONMENT = "/api/v1/projects/default/environments/production";

let server: TestServer;
let cookie: string;
let keys: { server: string; browser: string };
let tokens: Readonly<Record<"token" | "endedToken" | "forgedToken", string>>;

beforeAll(async () => {
  server = await startTestServer();
  cookie = await server.signIn();
  keys = await read("GET", `${ENVIRONMENT}/sdk-keys`);
  for (const [key, browser] of [
    ["lamp", true],
    ["secret", false],
  ] as const) {
    await read("POST", "/api/v1/projects/default/flags", { key });
    await configure(key, { mode: "on", browser });
  }
  await read("POST", `${ENVIRONMENT}/groups`, { key: "staff", kind: "list" });
  await read("POST", `${ENVIRONMENT}/groups/staff/members`, { add: ["ana"] });
  await read("POST", `${ENVIRONMENT}/groups`, { key: "friends", kind: "early-access", name: "Friends" });
  for (const [key, when] of [
    ["guest-lamp", { op: "in", attribute: "key", values: ["gus"] }],
    ["friend-lamp", { op: "group", group: "friends" }],
  ] as const) {
    await read("POST", "/api/v1/projects/default/flags", { key });
    await configure(key, { mode: "targeted", browser: true, rules: [{ when, serve: { kind: "variant", variant: "on" } }] });
  }
  const { secrets } = await read<{ secrets: { secret: string }[] }>("GET", `${ENVIRONMENT}/signing-secret`);
  const secret = secrets[0]?.secret ?? "";
  const now = Math.floor(Date.now() / 1_000);
  tokens = { token: sign(secret, now + 3_600), endedToken: sign(secret, now - 3_600), forgedToken: sign(`not ${secret}`, now + 3_600) };
});
afterAll(() => server.close());

async function read<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
  const answer = await fetch(server.url + path, {
    method,
    headers: { origin: server.url, "x-signalbox-csrf": "1", "content-type": "application/json", cookie, ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} ${path}: ${text}`);
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

function sign(secret: string, exp: number): string {
  const payload = Buffer.from(JSON.stringify({ context: { key: "gus" }, exp })).toString("base64url");
  return `${payload}.${createHmac("sha256", secret).update(payload).digest("base64url")}`;
}

async function configure(key: string, configuration: object): Promise<void> {
  const path = `${ENVIRONMENT}/flags/${key}`;
  const { configurationEtag } = await read<{ configurationEtag: string }>("GET", path);
  await read("PATCH", `${path}/configuration`, configuration, { "if-match": configurationEtag });
}

/** Flags that a case turned off; the next change turns them on again. */
const off = new Set<string>();
async function edit(step: { change: string } | { kill: string } | { restore: string } | { secureMode: boolean }): Promise<void> {
  if ("secureMode" in step) {
    const { etag } = await read<{ etag: string }>("GET", `${ENVIRONMENT}/settings`);
    await read("PATCH", `${ENVIRONMENT}/settings`, step, { "if-match": etag });
  } else if ("kill" in step) await read("POST", `${ENVIRONMENT}/flags/${step.kill}/kill`, { reason: "contract" });
  else if ("restore" in step) await read("POST", `${ENVIRONMENT}/flags/${step.restore}/restore`, { reason: "contract" });
  else {
    const mode = off.delete(step.change) ? "on" : "off";
    if (mode === "off") off.add(step.change);
    await configure(step.change, { mode });
  }
}

interface BrowserState {
  readonly generation: number;
  readonly revision: number;
  readonly entries: readonly { readonly key: string; readonly rules?: readonly { readonly when?: { readonly fact?: number } }[] }[];
}

/** Where the environment stands now, and the number that pages see in place of the condition of each flag that asks one. */
async function position(): Promise<{ generation: number; head: number; facts: ReadonlyMap<string, number | undefined> }> {
  const answer = await fetch(`${server.url}/sdk/v1/state?key=${keys.browser}`);
  const { generation, revision, entries } = (await answer.json()) as BrowserState;
  return { generation, head: revision, facts: new Map(entries.map(({ key, rules }) => [key, rules?.[0]?.when?.fact])) };
}

/** `{head-1}`, `{position}` and the like as they are now. */
async function filled<T>(value: T): Promise<T> {
  const text = JSON.stringify(value);
  if (!/\{[a-zA-Z]+([+-]\d+|:[a-z-]+)?\}/.test(text)) return value;
  const now = await position();
  return JSON.parse(
    text
      .replaceAll("{serverKey}", keys.server)
      .replaceAll("{browserKey}", keys.browser)
      .replace(/\{(token|endedToken|forgedToken)\}/g, (_all, name: keyof typeof tokens) => tokens[name])
      .replace(/"\{fact:([a-z-]+)\}"/g, (_all, flag: string) => String(now.facts.get(flag)))
      .replaceAll("{position}", `${now.generation}.${now.head}`)
      // A number that stands alone in a body is a number.
      .replace(/\\"\{(generation|head)([+-]\d+)?\}\\"|\{(generation|head)([+-]\d+)?\}/g, (_all, a, b, c, d) =>
        String(now[(a ?? c) as "generation" | "head"] + Number(b ?? d ?? 0)),
      ),
  );
}

/** One connection, and how far its answers were read. */
class Connection {
  readonly socket: Socket;
  closed = false;
  #bytes: Buffer = Buffer.alloc(0);
  #length: number | "chunked" | "open" | 0 = 0;
  lastHead: { status: number; headers: Map<string, string> } | undefined;

  constructor() {
    const { port, hostname } = new URL(server.url);
    this.socket = connect(Number(port), hostname.replace("localhost", "127.0.0.1"));
    this.socket.on("data", (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
    });
    this.socket.on("error", () => {}); // a reset is one of the ways in which these connections end
    this.socket.on("close", () => {
      this.closed = true;
    });
  }

  async until<T>(what: string, look: () => T | undefined): Promise<T> {
    const end = performance.now() + WAIT_MS_MAX;
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (performance.now() > end || (this.closed && what !== "the end")) {
        throw new Error(
          `waited in vain for ${what}${this.closed ? " on a connection that ended" : ""}; unread: ${this.#bytes.toString().slice(0, 300)}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async head(isHead: boolean): Promise<{ status: number; headers: Map<string, string> }> {
    if (typeof this.#length === "number" && this.#length > 0) await this.body();
    const at = await this.until("a head", () => {
      const found = this.#bytes.indexOf("\r\n\r\n");
      return found < 0 ? undefined : found;
    });
    const [first = "", ...lines] = this.#bytes.subarray(0, at).toString().split("\r\n");
    this.#bytes = this.#bytes.subarray(at + 4);
    const status = Number(first.split(" ")[1]);
    const headers = new Map(
      lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
    );
    const length = headers.get("content-length");
    if (isHead || status === 204 || status === 304) this.#length = 0;
    else if (headers.get("transfer-encoding") === "chunked") this.#length = "chunked";
    else this.#length = length === undefined ? "open" : Number(length);
    this.lastHead = { status, headers };
    return this.lastHead;
  }

  async body(): Promise<Buffer> {
    const length = this.#length;
    this.#length = 0;
    if (length === "chunked") {
      const parts: Buffer[] = [];
      for (;;) {
        const line = await this.until("a chunk", () => {
          const found = this.#bytes.indexOf("\r\n");
          return found < 0 ? undefined : found;
        });
        const size = Number.parseInt(this.#bytes.subarray(0, line).toString(), 16);
        await this.until("the whole chunk", () => (this.#bytes.length >= line + 4 + size ? true : undefined));
        parts.push(this.#bytes.subarray(line + 2, line + 2 + size));
        this.#bytes = this.#bytes.subarray(line + 4 + size);
        if (size === 0) return Buffer.concat(parts);
      }
    }
    if (length === "open") await this.until("the end", () => (this.closed ? true : undefined));
    else await this.until("the whole body", () => (this.#bytes.length >= length ? true : undefined));
    const end = length === "open" ? this.#bytes.length : length;
    const body = this.#bytes.subarray(0, end);
    this.#bytes = this.#bytes.subarray(end);
    return body;
  }

  async frame(wanted: string): Promise<{ event: string; id: string | undefined; crc: string | undefined; data: Fields }> {
    for (;;) {
      const at = await this.until(`a frame ${wanted}`, () => {
        const found = this.#bytes.indexOf("\n\n");
        return found < 0 ? undefined : found;
      });
      const lines = this.#bytes.subarray(0, at).toString().split("\n");
      this.#bytes = this.#bytes.subarray(at + 2);
      const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const event = field("event");
      if (event === undefined || (event === "ping" && wanted !== "ping")) continue;
      const crc = field("crc");
      const data = field("data") ?? "null";
      if (crc !== undefined && Number.parseInt(crc, 16) !== crc32(data)) throw new Error(`${crc} is not the checksum of ${data}`);
      return { event, id: field("id"), crc, data: JSON.parse(data) as Fields };
    }
  }
}

/** Whether `actual` has what is wanted: objects by their fields, `"*"` anything, null nothing, the rest as text. */
function fits(wanted: unknown, actual: unknown): boolean {
  if (wanted === null) return actual === null || actual === undefined;
  if (wanted === "*") return actual !== null && actual !== undefined && actual !== "";
  if (Array.isArray(wanted)) return JSON.stringify(wanted) === JSON.stringify(actual);
  if (typeof wanted !== "object") return String(wanted) === String(actual);
  if (typeof actual !== "object" || actual === null) return false;
  return Object.entries(wanted).every(([field, value]) => fits(value, (actual as Fields)[field]));
}

async function run({ steps }: ServerCase): Promise<void> {
  const connections: Connection[] = [];
  let asked: Ask | undefined;
  const current = () => {
    const last = connections.at(-1);
    if (!last) throw new Error("a case asks before it looks");
    return last;
  };
  try {
    for (const [index, unfilled] of steps.entries()) {
      const step = await filled(unfilled);
      const say = (what: string) => new Error(`step ${index + 1} ${JSON.stringify(step).slice(0, 300)}: ${what}`);
      if ("ask" in step) {
        asked = step.ask;
        const { target, method = "GET", headers, body, fill, chunk, rest = "" } = step.ask;
        const whole = body === undefined ? undefined : body.replace("~", () => (fill ? fill.text.repeat(fill.times) : "~"));
        const length = whole === undefined ? "" : `content-length: ${Buffer.byteLength(whole)}\r\n`;
        const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
        const text = `${method} ${target} HTTP/1.1\r\nhost: contract\r\n${lines.join("")}${length}\r\n${whole ?? ""}${rest}`;
        connections.push(new Connection());
        for (let at = 0; at < text.length; at += chunk ?? text.length) {
          current().socket.write(text.slice(at, at + (chunk ?? text.length)));
          if (chunk !== undefined) await new Promise((resolve) => setImmediate(resolve));
        }
      } else if ("raw" in step) {
        if (connections.length === 0) connections.push(new Connection());
        current().socket.write(step.raw);
      } else if ("head" in step) {
        const { status, headers } = await current().head(asked?.method === "HEAD");
        const { status: one, statusOneOf = [one], headers: wanted = {} } = step.head;
        if (!statusOneOf.includes(status)) throw say(`the status is ${status}: ${(await current().body()).toString().slice(0, 300)}`);
        for (const [name, value] of Object.entries(wanted)) {
          if (!fits(value, headers.get(name))) throw say(`${name} is ${headers.get(name)}`);
        }
      } else if ("frame" in step) {
        const { event, id = "*", crc, data = {} } = step.frame;
        const got = await current().frame(event);
        if (got.event !== event) throw say(`the frame is ${got.event} ${JSON.stringify(got.data).slice(0, 200)}`);
        if (id !== "*" && !fits(id, got.id)) throw say(`the id is ${got.id}`);
        if (crc !== undefined && !fits(crc, got.crc)) throw say(`the crc is ${got.crc}`);
        if (!fits(data, got.data)) throw say(`the data is ${JSON.stringify(got.data).slice(0, 500)}`);
      } else if ("body" in step) {
        const bytes = await current().body();
        const text = (step.gzip ? gunzipSync(bytes) : bytes).toString();
        if (!fits(step.body, JSON.parse(text))) throw say(`the body is ${text.slice(0, 500)}`);
        if (step.with !== undefined && !text.includes(step.with)) throw say(`the body is ${text.slice(0, 500)}`);
        if (step.without !== undefined && text.includes(step.without)) throw say(`the body names ${step.without}: ${text.slice(0, 500)}`);
      } else if ("closed" in step) await current().until("the end", () => (current().closed ? true : undefined));
      else await edit(step);
    }
  } finally {
    for (const { socket } of connections) socket.destroy();
  }
}

describe("the contract of a server, by raw bytes", () => {
  test.each(cases)("$title", ({ one }) => run(one));

  test("there are at least fifty cases", () => {
    expect(cases.length).toBeGreaterThanOrEqual(50);
  });
});
