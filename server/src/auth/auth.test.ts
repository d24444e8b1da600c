import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readAudit } from "../history/audit-log.ts";
import type { Identity } from "../http/route.ts";
import { tables } from "../store/schema.sqlite.ts";
import { openStore, type Store } from "../store/store.ts";
import { type Auth, createAuth } from "./auth.ts";
import { hashOf } from "./secrets.ts";
import type { WantedToken } from "./tokens.ts";

const PASSWORD = "correct-horse-battery";
const FROM = { address: "1" };
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let directory: string;
let store: Store;
let clock: number;
let auth: Auth;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "signalbox-auth-"));
  clock = Date.UTC(2026, 10, 20);
  store = await openStore({ directory, now: () => clock });
  auth = make("http://localhost:7070");
});
afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

function make(publicUrl: string): Auth {
  return createAuth({ store, publicUrl, setupToken: "the-token-of-this-start", now: () => clock });
}
const bySession = (secret: string, method = "GET", headers: Record<string, string> = {}, of = auth) =>
  of.identify(method, (name) => ({ cookie: `${of.cookie.name}=${secret}`, ...headers })[name]);
const byToken = (text: string) => auth.identify("GET", (name) => (name === "authorization" ? `Bearer ${text}` : undefined));
const actions = async () => (await readAudit(store.db, {}, { limit: 1_000 })).reverse().map(({ action, by }) => ({ action, by }));
const failing = (code: string) => expect.objectContaining({ code });

async function ana(): Promise<Identity> {
  const { secret } = await auth.setUp("the-token-of-this-start", "ana", PASSWORD);
  const { identity } = await bySession(secret);
  if (!identity) throw new Error("nobody is signed in");
  return identity;
}

describe("the first account", () => {
  it("is made once, by the token of this start, and is signed in", async () => {
    expect(await auth.setupUrl()).toBe("http://localhost:7070/setup#token=the-token-of-this-start");
    await expect(auth.setUp("wrong", "eve", PASSWORD)).rejects.toThrow(failing("SETUP_TOKEN_WRONG"));
    const { secret } = await auth.setUp("the-token-of-this-start", "ana", PASSWORD);
    expect((await bySession(secret)).identity).toMatchObject({
      name: "ana",
      via: "session",
      grants: [{ role: "admin", projectId: null, environmentId: null }],
    });
    expect(await auth.setupUrl()).toBeUndefined();
    await expect(auth.setUp("the-token-of-this-start", "eve", PASSWORD)).rejects.toThrow(failing("SETUP_DONE"));
    expect(await actions()).toEqual([
      { action: "account.create", by: "ana" },
      { action: "session.create", by: "ana" },
    ]);
  });

  it("is one of two when two are made at once", async () => {
    const both = await Promise.allSettled(["ana", "eve"].map((name) => auth.setUp("the-token-of-this-start", name, PASSWORD)));
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(store.db.select().from(tables.account).all()).toHaveLength(1);
  });

  it("of the settings is ignored once there is one", async () => {
    expect(await auth.ensureFirstAccount("ana", PASSWORD)).toBe(true);
    expect(await auth.ensureFirstAccount("eve", PASSWORD)).toBe(false);
    expect(store.db.select({ name: tables.account.name }).from(tables.account).all()).toEqual([{ name: "ana" }]);
  });
});

describe("signing in", () => {
  it("takes the right password only, and stores neither it nor the session's secret", async () => {
    await ana();
    const { secret } = await auth.signIn("ana", PASSWORD, FROM);
    await expect(auth.signIn("ana", "wrong-horse-battery", FROM)).rejects.toThrow(failing("SIGN_IN_FAILED"));
    await expect(auth.signIn("nobody", PASSWORD, FROM)).rejects.toThrow(failing("SIGN_IN_FAILED"));
    const stored = JSON.stringify([store.db.select().from(tables.account).all(), store.db.select().from(tables.session).all()]);
    expect(stored).toContain("$argon2id$v=19$m=19456,t=2,p=1$");
    expect(stored).not.toContain(PASSWORD);
    expect(stored).not.toContain(secret);
  });

  it("pauses a name after ten failures, longer each time and a minute at most, also for the right password", async () => {
    await ana();
    const attempt = (password: string) =>
      auth.signIn("ana", password, FROM).then(
        () => "in",
        (error) => `${error.code} ${error.extra.headers?.["retry-after"] ?? ""}`.trim(),
      );
    for (let i = 0; i < 10; i += 1) expect(await attempt("wrong")).toBe("SIGN_IN_FAILED");
    for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
      expect(await attempt(PASSWORD)).toBe(`TOO_MANY_ATTEMPTS ${seconds}`);
      clock += seconds * 1000;
      expect(await attempt("wrong")).toBe("SIGN_IN_FAILED");
    }
    clock += MINUTE;
    expect(await attempt(PASSWORD)).toBe("in");
    expect(await attempt("wrong")).toBe("SIGN_IN_FAILED");
    expect(await attempt(PASSWORD)).toBe("in");
  });

  it("goes on with the pause after a restart", async () => {
    await ana();
    for (let i = 0; i < 10; i += 1) await expect(auth.signIn("ana", "wrong", FROM)).rejects.toThrow(failing("SIGN_IN_FAILED"));
    await store.close();
    store = await openStore({ directory, now: () => clock });
    auth = make("http://localhost:7070");
    await expect(auth.signIn("ana", PASSWORD, FROM)).rejects.toThrow(failing("TOO_MANY_ATTEMPTS"));
    clock += MINUTE;
    expect((await auth.signIn("ana", PASSWORD, FROM)).identity.name).toBe("ana");
  });

  it("remembers an address by its hash, forgets it after a quarter of an hour, and gives back what was right", async () => {
    await ana();
    const rows = () => store.db.select().from(tables.attempt);
    await expect(auth.signIn("eve", "wrong", { address: "192.0.2.7" })).rejects.toThrow(failing("SIGN_IN_FAILED"));
    expect(JSON.stringify(await rows())).not.toMatch(/192|eve/);
    expect((await rows()).map(({ failures }) => failures)).toEqual([1, 1]);
    await auth.signIn("ana", PASSWORD, { address: "192.0.2.7" });
    expect((await rows()).map(({ key, failures }) => `${key.split(":")[0]} ${failures}`).sort()).toEqual(["account 1", "address 1"]);
    clock += 15 * MINUTE + 1;
    await auth.signIn("ana", PASSWORD, FROM);
    expect(await rows()).toHaveLength(1);
  });

  it("counts attempts before they are made, so that many at once do not slip through", async () => {
    await ana();
    const all = await Promise.allSettled(Array.from({ length: 30 }, () => auth.signIn("ana", "wrong", FROM)));
    const codes = all.map((one) => (one.status === "rejected" ? one.reason.code : "in"));
    expect(codes.filter((code) => code === "SIGN_IN_FAILED")).toHaveLength(10);
    expect(codes.filter((code) => code === "TOO_MANY_ATTEMPTS")).toHaveLength(20);
  });

  it("refuses when too many wait to be hashed", async () => {
    await ana();
    const all = await Promise.allSettled(
      Array.from({ length: 60 }, (_, i) => auth.signIn(`name${i}`, "wrong", { address: `address${i}` })),
    );
    const codes = new Set(all.map((one) => (one.status === "rejected" ? one.reason.code : "in")));
    expect(codes).toEqual(new Set(["SIGN_IN_FAILED", "RATE_LIMITED"]));
    expect((await auth.signIn("ana", PASSWORD, FROM)).identity.name).toBe("ana");
  }, 30_000);

  it("by a link works once, within 15 minutes", async () => {
    const link = async () => (await auth.createSignInLink(await me)).url.split("#link=")[1] ?? "";
    const me = ana();
    await me;
    const first = await link();
    expect((await auth.signInByLink(first, FROM)).identity.name).toBe("ana");
    await expect(auth.signInByLink(first, FROM)).rejects.toThrow(failing("SIGN_IN_FAILED"));
    const second = await link();
    clock += 15 * MINUTE + 1;
    await expect(auth.signInByLink(second, FROM)).rejects.toThrow(failing("SIGN_IN_FAILED"));
  });
});

describe("a session", () => {
  it("ends after 12 hours without use, and after 7 days in any case", async () => {
    await ana();
    const idle = (await auth.signIn("ana", PASSWORD, FROM)).secret;
    clock += 12 * HOUR + 1;
    expect((await bySession(idle)).refusal).toMatchObject({ code: "UNAUTHENTICATED" });
    const used = (await auth.signIn("ana", PASSWORD, FROM)).secret;
    for (let hours = 0; hours < 7 * 24; hours += 8) {
      expect((await bySession(used)).identity?.name).toBe("ana");
      clock += 8 * HOUR;
    }
    clock += 1;
    expect((await bySession(used)).identity).toBeUndefined();
  });

  it("ends although a page listens in the background all the time", async () => {
    const { secret } = await auth.setUp("the-token-of-this-start", "ana", PASSWORD);
    const listening = () => auth.identify("GET", (name) => (name === "cookie" ? `${auth.cookie.name}=${secret}` : undefined), false);
    clock += 8 * HOUR;
    expect((await listening()).identity?.name).toBe("ana");
    clock += 8 * HOUR;
    expect((await listening()).identity).toBeUndefined();
  });

  it("ends when it is signed out", async () => {
    await ana();
    const { secret } = await auth.signIn("ana", PASSWORD, FROM);
    await auth.signOut(secret);
    expect((await bySession(secret)).identity).toBeUndefined();
    expect((await actions()).at(-1)).toEqual({ action: "session.end", by: "ana" });
  });

  it.each<[string, Record<string, string>, boolean]>([
    ["from its own origin", { origin: "http://localhost:7070" }, true],
    ["from the host that it was sent to", { origin: "http://10.0.0.5:7070", host: "10.0.0.5:7070" }, true],
    ["same-origin by the browser's word", { "sec-fetch-site": "same-origin" }, true],
    ["without any origin", {}, false],
    ["from another port", { origin: "http://localhost:8080", host: "localhost:7070" }, false],
    ["from a hidden origin", { origin: "null" }, false],
    ["same-site, which a neighbour is too", { "sec-fetch-site": "same-site", origin: "http://localhost:7070" }, false],
    ["cross-site", { "sec-fetch-site": "cross-site", origin: "http://localhost:7070" }, false],
  ])("writes %s: %s", async (_, headers, taken) => {
    const { secret } = await auth.setUp("the-token-of-this-start", "ana", PASSWORD);
    for (const method of ["POST", "PATCH", "DELETE"]) {
      const { identity, refusal } = await bySession(secret, method, { ...headers, "x-signalbox-csrf": "1" });
      expect([identity?.name, refusal?.code]).toEqual(taken ? ["ana", undefined] : [undefined, "CROSS_ORIGIN"]);
      // The header that a page of another origin cannot send without asking first.
      for (const csrf of [undefined, "", "0"]) {
        const without = await bySession(secret, method, { ...headers, ...(csrf !== undefined && { "x-signalbox-csrf": csrf }) });
        expect([without.identity, without.refusal?.code]).toEqual([undefined, "CROSS_ORIGIN"]);
      }
    }
    expect((await bySession(secret, "GET", headers)).identity?.name).toBe("ana");
  });

  it("has a cookie that scripts cannot read, and that leaves only over https where there is https", () => {
    expect(auth.cookie.set("s", 60)).toBe("signalbox_session_7070=s; Path=/; HttpOnly; SameSite=Lax; Max-Age=60");
    expect(make("https://flags.example.com").cookie.set("s", 60)).toBe(
      "__Host-signalbox_session=s; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=60",
    );
  });
});

type Wanted = Pick<WantedToken, "name" | "scope"> & { days?: number };
const create = (by: Identity, { days, ...wanted }: Wanted) =>
  auth.tokens.create(by, { kind: "personal", projectId: null, environmentId: null, flags: null, days, ...wanted }, { by: by.name });

describe("a token", () => {
  it("works until it is revoked, and only its hash is stored", async () => {
    const me = await ana();
    const made = await create(me, { name: "runbook", scope: "kill" });
    expect(made.text).toMatch(/^sb_kill_[0-9a-f]{12}_[\w-]{49}$/);
    expect((await byToken(made.text)).identity).toEqual({
      name: "runbook (token of ana)",
      accountId: me.accountId,
      via: "token",
      grants: [{ role: "admin", projectId: null, environmentId: null }],
      limit: { role: "kill", projectId: null, environmentId: null, flags: null },
      selector: expect.stringMatching(/^[0-9a-f]{12}$/),
    });
    expect(JSON.stringify(store.db.select().from(tables.token).all())).not.toContain(made.text.slice(-43));
    const { text: _text, ...listed } = made;
    // The note of its use is written behind the request, in line with other writes.
    await store.transaction(() => {});
    expect(await auth.tokens.list(me)).toEqual([{ ...listed, lastUsedAt: clock }]);

    await auth.tokens.revoke(me, made.id, { by: "ana" });
    expect((await byToken(made.text)).refusal).toMatchObject({ code: "TOKEN_INVALID" });
    await expect(auth.tokens.revoke(me, made.id, { by: "ana" })).rejects.toThrow(failing("TOKEN_NOT_FOUND"));
    expect(await auth.tokens.list(me)).toEqual([]);
    expect((await actions()).slice(-2)).toEqual([
      { action: "token.create", by: "ana" },
      { action: "token.revoke", by: "ana" },
    ]);
  });

  it("ends on its day", async () => {
    const { text: token } = await create(await ana(), { name: "ci", scope: "admin", days: 1 });
    clock += 24 * HOUR;
    expect((await byToken(token)).refusal?.message).toBe('The token "ci" expired on 2026-11-21; make a new one under Keys and tokens.');
  });

  it("is refused with one letter changed, with another scope, and in any other form", async () => {
    const { text: token } = await create(await ana(), { name: "ci", scope: "kill" });
    const last = token.endsWith("A") ? "B" : "A";
    for (const text of [`${token.slice(0, -1)}${last}`, token.replace("sb_kill", "sb_admin"), `${token}x`, "sb_kill_", "constructor"]) {
      expect((await byToken(text)).refusal).toMatchObject({ code: "TOKEN_INVALID" });
    }
  });

  it("goes before a cookie", async () => {
    const { secret } = await auth.setUp("the-token-of-this-start", "ana", PASSWORD);
    const { identity, refusal } = await bySession(secret, "GET", { authorization: "Bearer wrong" });
    expect([identity, refusal?.code]).toEqual([undefined, "TOKEN_INVALID"]);
  });

  it("notes its use at most each five minutes", async () => {
    const me = await ana();
    const { text } = await create(me, { name: "ci", scope: "kill" });
    const start = clock;
    await byToken(text);
    clock += 4 * MINUTE;
    await byToken(text);
    // The note is written behind the request, in line with other writes.
    const noted = async () => store.transaction(async (tx) => (await tx.select().from(tables.token))[0]?.lastUsedAt);
    expect(await noted()).toBe(start);
    clock += 2 * MINUTE;
    await byToken(text);
    expect(await noted()).toBe(clock);
  });

  it("of an older version, without a checksum, goes on working", async () => {
    const me = await ana();
    const text = `sb_operator_0123456789ab_${"x".repeat(43)}`;
    const row = { selector: "0123456789ab", hash: hashOf(text), name: "old", scope: "operator", accountId: me.accountId } as const;
    await store.transaction(async (tx) => void (await tx.insert(tables.token).values({ ...row, createdAt: 1, expiresAt: clock + HOUR })));
    expect((await byToken(text)).identity?.limit?.role).toBe("operator");
  });
});
