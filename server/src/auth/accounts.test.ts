import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eq } from "drizzle-orm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readAudit } from "../history/audit-log.ts";
import type { Identity } from "../http/route.ts";
import { tables } from "../store/schema.sqlite.ts";
import { openStore, type Store } from "../store/store.ts";
import { type Auth, createAuth } from "./auth.ts";
import { ADMIN_OF_EVERYTHING, type Grant } from "./permissions.ts";

const PASSWORD = "correct-horse-battery";
const FROM = { address: "1", agent: "test" };
const DAY = 24 * 3_600_000;

let directory: string;
let store: Store;
let clock: number;
let auth: Auth;
let ana: Identity;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "signalbox-accounts-"));
  clock = Date.UTC(2026, 10, 20);
  store = await openStore({ directory, now: () => clock });
  auth = createAuth({ store, publicUrl: "http://localhost:7070", setupToken: "setup", now: () => clock });
  await auth.prepare();
  ana = (await auth.setUp("setup", "ana", PASSWORD)).identity;
});
afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const failing = (code: string) => expect.objectContaining({ code });
const by = { by: "ana" };
const bySession = async (secret: string) =>
  (await auth.identify("GET", (name) => ({ cookie: `${auth.cookie.name}=${secret}` })[name])).identity;
const project = () => {
  const [found] = store.projects();
  if (!found) throw new Error("a new store has a project");
  return found;
};
const inProject = (role: "viewer" | "editor" | "admin"): Grant & { role: "viewer" | "editor" | "admin" } => {
  return { role, projectId: project().id, environmentId: null };
};
const invite = (giver: Identity, name: string, grants: Parameters<Auth["invitations"]["create"]>[2]["grants"]) =>
  auth.invitations.create(giver, name, { grants, note: "" }, { by: name });
/** Somebody with these roles, signed in. */
async function somebody(name: string, grants: Parameters<typeof invite>[2]) {
  const { secret } = await invite(ana, "ana", grants);
  return auth.acceptInvitation(secret, name, PASSWORD, FROM);
}
const words = async () =>
  (await readAudit(store.db, {}, { limit: 1_000 })).reverse().map(({ action, by, target }) => `${action} ${target} by ${by}`);

describe("an invitation", () => {
  it("makes an account with its roles, once", async () => {
    const { secret } = await invite(ana, "ana", [inProject("editor")]);
    expect(JSON.stringify(await store.db.select().from(tables.invitation))).not.toContain(secret);
    expect(await auth.previewInvitation(secret, FROM)).toMatchObject({ account: null, by: "ana", grants: [inProject("editor")] });
    const { identity, secret: session } = await auth.acceptInvitation(secret, "ben", PASSWORD, FROM);
    expect(identity).toMatchObject({ name: "ben", grants: [inProject("editor")] });
    expect((await bySession(session))?.grants).toEqual([inProject("editor")]);
    await expect(auth.acceptInvitation(secret, "eve", PASSWORD, FROM)).rejects.toThrow(failing("INVITATION_INVALID"));
    await expect(auth.previewInvitation(secret, FROM)).rejects.toThrow(failing("INVITATION_INVALID"));
    expect(await words()).toEqual(expect.arrayContaining(["invitation.create invitation 1 by ana", "account.create ben by ben"]));
  });

  it("makes one account when it is used twice at once", async () => {
    const { secret } = await invite(ana, "ana", [inProject("viewer")]);
    const both = await Promise.allSettled(["ben", "eve"].map((name) => auth.acceptInvitation(secret, name, PASSWORD, FROM)));
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(await auth.accounts.list()).toHaveLength(2);
  });

  it("is not used up by a name that is taken", async () => {
    const { secret } = await invite(ana, "ana", [inProject("viewer")]);
    await expect(auth.acceptInvitation(secret, "ana", PASSWORD, FROM)).rejects.toThrow(failing("ACCOUNT_EXISTS"));
    await expect(auth.acceptInvitation(secret, undefined, PASSWORD, FROM)).rejects.toThrow(failing("VALIDATION_FAILED"));
    expect((await auth.acceptInvitation(secret, "ben", PASSWORD, FROM)).identity.name).toBe("ben");
  });

  it("holds seven days, and not when it was taken back", async () => {
    const old = await invite(ana, "ana", [inProject("viewer")]);
    const taken = await invite(ana, "ana", [inProject("viewer")]);
    await auth.invitations.revoke(ana, taken.id, by);
    await expect(auth.previewInvitation(taken.secret, FROM)).rejects.toThrow(failing("INVITATION_INVALID"));
    await expect(auth.invitations.revoke(ana, taken.id, by)).rejects.toThrow(failing("INVITATION_NOT_FOUND"));
    clock += 7 * DAY - 1;
    expect((await auth.invitations.list(ana)).map(({ id }) => id)).toEqual([old.id]);
    clock += 2;
    await expect(auth.previewInvitation(old.secret, FROM)).rejects.toThrow(failing("INVITATION_INVALID"));
  });

  it("gives nothing that its maker may not give, when it is made and when it is used", async () => {
    const { identity: ben } = await somebody("ben", [inProject("admin")]);
    await expect(invite(ben, "ben", [ADMIN_OF_EVERYTHING])).rejects.toThrow(failing("FORBIDDEN"));
    const { identity: eve } = await somebody("eve", [inProject("editor")]);
    await expect(invite(eve, "eve", [inProject("viewer")])).rejects.toThrow(failing("FORBIDDEN"));
    const { secret } = await invite(ben, "ben", [inProject("admin")]);
    const [own] = (await auth.accounts.find("ben")).grants;
    await auth.accounts.take(ana, "ben", own?.id ?? 0, by);
    await expect(auth.acceptInvitation(secret, "mallory", PASSWORD, FROM)).rejects.toThrow(failing("INVITATION_INVALID"));
  });

  it("is seen and taken back only by whoever could have made it", async () => {
    const { identity: ben } = await somebody("ben", [inProject("admin")]);
    const everywhere = await invite(ana, "ana", [{ role: "viewer", projectId: null, environmentId: null }]);
    const here = await invite(ana, "ana", [inProject("viewer")]);
    expect((await auth.invitations.list(ben)).map(({ id }) => id)).toEqual([here.id]);
    await expect(auth.invitations.revoke(ben, everywhere.id, { by: "ben" })).rejects.toThrow(failing("INVITATION_NOT_FOUND"));
  });
});

describe("roles", () => {
  it("are given by an admin of their place only, one for each place", async () => {
    const { identity: ben } = await somebody("ben", [inProject("admin")]);
    await somebody("eve", [inProject("viewer")]);
    await auth.accounts.give(ben, "eve", inProject("editor"), { by: "ben" });
    const eve = async () => (await auth.accounts.find("eve")).grants.map(({ role, projectId }) => ({ role, projectId }));
    expect(await eve()).toEqual([{ role: "editor", projectId: project().id }]);
    await expect(auth.accounts.give(ben, "ben", ADMIN_OF_EVERYTHING, { by: "ben" })).rejects.toThrow(failing("FORBIDDEN"));
    const [admin] = (await auth.accounts.find("ana")).grants;
    await expect(auth.accounts.take(ben, "ana", admin?.id ?? 0, { by: "ben" })).rejects.toThrow(failing("GRANT_NOT_FOUND"));
    const held = (await auth.accounts.find("eve")).grants[0]?.id ?? 0;
    // Of another account.
    await expect(auth.accounts.take(ben, "ana", held, { by: "ben" })).rejects.toThrow(failing("GRANT_NOT_FOUND"));
    await auth.accounts.take(ben, "eve", held, { by: "ben" });
    expect(await eve()).toEqual([]);
  });

  it("never leave the server without an admin of everything", async () => {
    const [own] = (await auth.accounts.find("ana")).grants;
    await expect(auth.accounts.take(ana, "ana", own?.id ?? 0, by)).rejects.toThrow(failing("LAST_ADMIN"));
    await expect(auth.accounts.give(ana, "ana", { ...ADMIN_OF_EVERYTHING, role: "viewer" }, by)).rejects.toThrow(failing("LAST_ADMIN"));
    await expect(auth.accounts.setDisabled("ana", true, by)).rejects.toThrow(failing("LAST_ADMIN"));
    await expect(auth.accounts.remove("ana", ana.accountId, by)).rejects.toThrow(failing("LAST_ADMIN"));
    expect((await auth.accounts.find("ana")).grants).toEqual([own]);
    const { identity: ben } = await somebody("ben", [ADMIN_OF_EVERYTHING]);
    const both = await Promise.allSettled([auth.accounts.setDisabled("ana", true, by), auth.accounts.setDisabled("ben", true, by)]);
    expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(ben.accountId).not.toBe(ana.accountId);
  });

  it("of accounts from before there were any become admin of everything, once", async () => {
    await store.transaction(async (tx) => {
      await tx.delete(tables.grant);
      await tx.delete(tables.meta).where(eq(tables.meta.key, "accounts-have-grants"));
    });
    await auth.prepare();
    const held = async () => (await auth.accounts.find("ana")).grants.map(({ role, projectId }) => ({ role, projectId }));
    expect(await held()).toEqual([{ role: "admin", projectId: null }]);
    await store.transaction(async (tx) => void (await tx.delete(tables.grant)));
    await auth.prepare();
    expect(await held()).toEqual([]);
  });
});

describe("an account", () => {
  it("that is disabled has no session, cannot sign in, and can again when it is enabled", async () => {
    const { secret } = await somebody("ben", [inProject("editor")]);
    let told = 0;
    auth.onChange(() => {
      told += 1;
    });
    await auth.accounts.setDisabled("ben", true, by);
    expect(told).toBe(1);
    expect(await bySession(secret)).toBeUndefined();
    await expect(auth.signIn("ben", PASSWORD, FROM)).rejects.toThrow(/disabled/);
    await expect(auth.signIn("ben", "wrong-horse-battery", FROM)).rejects.toThrow("The name or the password is wrong.");
    await auth.accounts.setDisabled("ben", false, by);
    expect(await bySession(secret)).toBeUndefined();
    expect((await auth.signIn("ben", PASSWORD, FROM)).identity.name).toBe("ben");
    expect((await words()).filter((word) => word.includes("able ben"))).toEqual([
      "account.disable ben by ana",
      "account.enable ben by ana",
    ]);
  });

  it("that is deleted is gone with all that was its own", async () => {
    const { secret, identity: ben } = await somebody("ben", [ADMIN_OF_EVERYTHING]);
    const { secret: open } = await invite(ben, "ben", [inProject("viewer")]);
    await auth.accounts.give(ben, "ana", inProject("editor"), { by: "ben" });
    await auth.accounts.remove("ben", ana.accountId, by);
    const rows = [store.db.select().from(tables.account), store.db.select().from(tables.grant), store.db.select().from(tables.invitation)];
    expect(JSON.stringify(await Promise.all(rows))).not.toContain("ben");
    expect(await bySession(secret)).toBeUndefined();
    await expect(auth.signIn("ben", PASSWORD, FROM)).rejects.toThrow(failing("SIGN_IN_FAILED"));
    await expect(auth.previewInvitation(open, FROM)).rejects.toThrow(failing("INVITATION_INVALID"));
    await expect(auth.accounts.find("ben")).rejects.toThrow(failing("ACCOUNT_NOT_FOUND"));
    expect(await words()).toContain("account.delete ben by ana");
  });

  it("changes its password with the old one, which ends all its other sessions", async () => {
    const first = await auth.signIn("ana", PASSWORD, FROM);
    const second = await auth.signIn("ana", PASSWORD, FROM);
    const change = (old: string) => auth.changePassword(ana, { old, new: "another-long-password" }, second.secret, FROM);
    await expect(change("wrong-horse-battery")).rejects.toThrow(failing("PASSWORD_WRONG"));
    await change(PASSWORD);
    expect(await bySession(first.secret)).toBeUndefined();
    expect((await bySession(second.secret))?.name).toBe("ana");
    await expect(auth.signIn("ana", PASSWORD, FROM)).rejects.toThrow(failing("SIGN_IN_FAILED"));
    expect((await auth.signIn("ana", "another-long-password", FROM)).identity.name).toBe("ana");
    expect(await words()).toContain("account.password ana by ana");
  });

  it("pauses for whoever guesses its old password", async () => {
    const change = () => auth.changePassword(ana, { old: "wrong", new: "another-long-password" }, "", FROM);
    for (let i = 0; i < 10; i += 1) await expect(change()).rejects.toThrow(failing("PASSWORD_WRONG"));
    await expect(change()).rejects.toThrow(failing("TOO_MANY_ATTEMPTS"));
  });

  it("gets a new password by a link from an admin, once and within a day", async () => {
    const { secret: session } = await somebody("ben", [inProject("editor")]);
    const older = await auth.invitations.createReset("ben", by);
    const { secret } = await auth.invitations.createReset("ben", by);
    await expect(auth.previewInvitation(older.secret, FROM)).rejects.toThrow(failing("INVITATION_INVALID"));
    expect(await auth.previewInvitation(secret, FROM)).toMatchObject({ account: "ben" });
    const again = await auth.acceptInvitation(secret, undefined, "another-long-password", FROM);
    expect(await bySession(session)).toBeUndefined();
    expect((await bySession(again.secret))?.grants).toEqual([inProject("editor")]);
    await expect(auth.acceptInvitation(secret, undefined, PASSWORD, FROM)).rejects.toThrow(failing("INVITATION_INVALID"));
    const late = await auth.invitations.createReset("ben", by);
    clock += DAY + 1;
    await expect(auth.acceptInvitation(late.secret, undefined, PASSWORD, FROM)).rejects.toThrow(failing("INVITATION_INVALID"));
  });

  it("lists its sessions and ends one of them, never those of others", async () => {
    const { secret } = await auth.signIn("ana", PASSWORD, { address: "192.0.2.7", agent: "x".repeat(500) });
    await somebody("ben", [inProject("viewer")]);
    const sessions = await auth.sessions.list(ana.accountId, secret);
    expect(sessions).toHaveLength(2);
    expect(sessions.find(({ current }) => current)).toMatchObject({ address: "192.0.2.7", agent: "x".repeat(200) });
    const ben = await auth.accounts.find("ben");
    const [of] = await auth.sessions.list(ben.id, undefined);
    await expect(auth.sessions.endOne({ id: ana.accountId, name: "ana" }, of?.id ?? "", {})).rejects.toThrow(failing("SESSION_NOT_FOUND"));
    const own = sessions.find(({ current }) => current);
    await auth.sessions.endOne({ id: ana.accountId, name: "ana" }, own?.id ?? "", {});
    expect(await bySession(secret)).toBeUndefined();
  });
});

describe("a sign-in link", () => {
  it("is not made for a token that may do less than its account", async () => {
    const token = (limit: Grant | undefined): Identity => ({ ...ana, via: "token", ...(limit && { limit }) });
    await expect(auth.createSignInLink(token(inProject("admin")))).rejects.toThrow(failing("FORBIDDEN"));
    await expect(auth.createSignInLink(token(undefined))).rejects.toThrow(failing("FORBIDDEN"));
    expect((await auth.createSignInLink(token(ADMIN_OF_EVERYTHING))).url).toContain("#link=");
  });
});
