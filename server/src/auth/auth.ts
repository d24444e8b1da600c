import { eq } from "drizzle-orm";
import type { SignInLink } from "../api-types.ts";
import { asProblem, type Problem, problem } from "../errors.ts";
import type { Identity } from "../http/route.ts";
import type { Origin } from "../store/origin.ts";
import type { Database } from "../store/rows.ts";
import { tables } from "../store/schema.sqlite.ts";
import { type Accounts, accountNamed, createAccounts } from "./accounts.ts";
import { createAttempts } from "./attempts.ts";
import type { AuthStore } from "./auth-store.ts";
import { type SessionCookie, sessionCookie } from "./cookie.ts";
import { grantOld, grantsOf, putGrant } from "./grants.ts";
import { createInvitations, type Invitations, type Offer } from "./invitations.ts";
import { crossOriginRefusal, csrfRefusal, type Header } from "./origin.ts";
import { createPasswords } from "./passwords.ts";
import { ADMIN_OF_EVERYTHING, EVERYTHING, may } from "./permissions.ts";
import { hashOf, newSecret, sameHash } from "./secrets.ts";
import { createSessions, type From, type SessionAccount, type Sessions } from "./sessions.ts";
import { createTokens, type Tokens } from "./tokens.ts";
import { createTurns } from "./turns.ts";

const { account } = tables;

export interface AuthOptions {
  readonly store: AuthStore;
  /** Where people reach this server; its scheme decides whether cookies are Secure. */
  readonly publicUrl: string;
  /** The one-use token of the first account; a new one when absent. */
  readonly setupToken?: string | undefined;
  readonly now?: () => number;
}

/** What a request's credentials say: who it is, or why they are not valid; neither when it sent none. */
export interface Identified {
  readonly identity?: Identity;
  readonly refusal?: Problem;
}

export interface Auth {
  readonly cookie: SessionCookie;
  readonly tokens: Tokens;
  readonly accounts: Accounts;
  readonly sessions: Pick<Sessions, "list" | "endOne">;
  readonly invitations: Omit<Invitations, "preview" | "accept">;
  readonly publicUrl: string;
  /** Told after each change of what somebody may, or of who is signed in: whoever holds a stream open asks anew. Returns what stops it. */
  onChange(listener: () => void): () => void;
  /** Once, before anything else: accounts of versions without roles become what they were, admins of everything. */
  prepare(): Promise<void>;
  /** Whether the first account is still to be named. */
  setupNeeded(): Promise<boolean>;
  /** The link that names the first account; undefined once it exists. */
  setupUrl(): Promise<string | undefined>;
  /** Makes the first account and signs in. SETUP_DONE when there is one, SETUP_TOKEN_WRONG for a wrong token. */
  setUp(token: string, name: string, password: string, from?: From): Promise<SignedIn>;
  /** Makes the first account from the settings, unless there is one. */
  ensureFirstAccount(name: string, password: string): Promise<boolean>;
  signIn(name: string, password: string, from: From): Promise<SignedIn>;
  signInByLink(link: string, from: From): Promise<SignedIn>;
  signOut(secret: string, origin?: Origin): Promise<void>;
  /** Only for whoever may do all that the account may: the link signs in as the account. */
  createSignInLink(by: Identity, origin?: Origin): Promise<SignInLink>;
  /** What an invitation offers. Throws INVITATION_INVALID. */
  previewInvitation(secret: string, from: From): Promise<Offer>;
  /** Makes the account of an invitation, or gives an account its new password, and signs in. */
  acceptInvitation(secret: string, name: string | undefined, password: string, from: From): Promise<SignedIn>;
  /** Needs the old password, and ends all sessions but the one with this secret. Throws PASSWORD_WRONG. */
  changePassword(by: Identity, passwords: { readonly old: string; readonly new: string }, secret: string, from: From): Promise<void>;
  /**
   * A token goes before a cookie; a cookie is not taken for a write that another origin could have caused. `isUse: false` asks
   * without keeping the session alive: a page that only listens in the background is not a person who works.
   */
  identify(method: string, header: Header, isUse?: boolean): Promise<Identified>;
}

export interface SignedIn {
  readonly identity: Identity;
  /** The session's secret, for the cookie. */
  readonly secret: string;
}

/** Accounts, sessions, tokens: the only module that decides who somebody is. */
export function createAuth({ store, publicUrl, setupToken = newSecret(), now = Date.now }: AuthOptions): Auth {
  const cookie = sessionCookie(publicUrl);
  const turns = createTurns();
  const passwords = createPasswords(turns);
  const attempts = createAttempts(store, now);
  const sessions = createSessions(store, now);
  const listeners = new Set<() => void>();
  const changed = () => {
    for (const listener of listeners) listener();
  };
  const tokens = createTokens({ store, now, changed });
  const accounts = createAccounts({ store, sessions, now, changed });
  const invitations = createInvitations({ store, sessions, now, changed });
  const setupHash = hashOf(setupToken);
  const isThereOne = async (db: Database) => (await db.select({ id: account.id }).from(account).limit(1)).length > 0;
  const setupNeeded = async () => !(await isThereOne(store.db));

  /** The check and the insert share one transaction: of two set-ups at once, one wins. Undefined when an account exists. */
  async function createFirst(name: string, password: string, via: "setup" | "settings", from?: From): Promise<SignedIn | undefined> {
    const passwordHash = await passwords.hash(password);
    return store.transaction(async (tx) => {
      if (await isThereOne(tx)) return undefined;
      const at = now();
      const [made] = await tx.insert(account).values({ name, passwordHash, createdAt: at, passwordAt: at }).returning({ id: account.id });
      if (!made) throw new Error("the insert of an account returned no row");
      await putGrant(tx, made.id, ADMIN_OF_EVERYTHING, { at, by: name });
      await store.audit(tx, { by: name, action: "account.create", target: name, after: { via, grants: [ADMIN_OF_EVERYTHING] } });
      const identity: Identity = { name, accountId: made.id, via: "session", grants: [ADMIN_OF_EVERYTHING] };
      return { identity, secret: via === "setup" ? await sessions.start(tx, { id: made.id, name }, "setup", from) : "" };
    });
  }

  async function sessionIdentity({ id, name }: SessionAccount): Promise<Identity> {
    return { name, accountId: id, via: "session", grants: await grantsOf(store.db, id) };
  }

  /** For what somebody does who is not signed in and who guesses no password: counted by address. */
  async function attempted<T>(from: From, run: () => Promise<T>): Promise<T> {
    await attempts.check(undefined, from.address);
    await turns(() => attempts.begin(undefined, from.address));
    const result = await run();
    await store.transaction((tx) => attempts.succeeded(tx, undefined, from.address), true);
    return result;
  }

  async function bySession(method: string, header: Header, secret: string, isUse: boolean): Promise<Identified> {
    const who = await sessions.find(secret, isUse);
    if (!who) return { refusal: problem("UNAUTHENTICATED", "The session is over; sign in again.") };
    if (method !== "GET" && method !== "HEAD") {
      const refusal = crossOriginRefusal(header, publicUrl) ?? csrfRefusal(header);
      if (refusal) return { refusal };
    }
    return { identity: await sessionIdentity(who) };
  }

  return {
    cookie,
    tokens,
    accounts,
    sessions: {
      list: sessions.list,
      async endOne(who, id, origin) {
        await sessions.endOne(who, id, origin);
        changed();
      },
    },
    invitations,
    publicUrl,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    prepare: () => grantOld(store, now),
    setupNeeded,
    setupUrl: async () => ((await setupNeeded()) ? `${publicUrl}/setup#token=${setupToken}` : undefined),

    async setUp(token, name, password, from) {
      const done = () => problem("SETUP_DONE", "The first account exists already; sign in with it.");
      if (!(await setupNeeded())) throw done();
      if (!sameHash(hashOf(token), setupHash)) {
        throw problem("SETUP_TOKEN_WRONG", "The setup token is wrong or from an earlier start; use the link that this start printed.");
      }
      const signedIn = await createFirst(name, password, "setup", from);
      if (!signedIn) throw done();
      return signedIn;
    },

    async ensureFirstAccount(name, password) {
      if (!(await setupNeeded())) return false;
      return (await createFirst(name, password, "settings")) !== undefined;
    },

    async signIn(name, password, from) {
      await attempts.check(name, from.address);
      let found: typeof account.$inferSelect | undefined;
      const find = async () => {
        await attempts.begin(name, from.address);
        [found] = await store.db.select().from(account).where(eq(account.name, name)).limit(1);
        return found?.passwordHash;
      };
      if (!(await passwords.verify(find, password)) || !found) throw problem("SIGN_IN_FAILED", "The name or the password is wrong.");
      // Told only to whoever knows the password.
      if (found.disabledAt !== null) throw problem("SIGN_IN_FAILED", `The account "${name}" is disabled; ask an admin to enable it.`);
      const who: SessionAccount = { id: found.id, name: found.name };
      // Urgent, as a kill is: who is not signed in must be able to come in for one, also on a full disk.
      const secret = await store.transaction(async (tx) => {
        await attempts.succeeded(tx, name, from.address);
        return sessions.start(tx, who, "password", from);
      }, true);
      return { identity: await sessionIdentity(who), secret };
    },

    async signInByLink(link, from) {
      return attempted(from, async () => {
        const signedIn = await store.transaction(async (tx) => {
          const who = await sessions.takeLink(tx, link);
          return who && { who, secret: await sessions.start(tx, who, "link", from) };
        }, true);
        if (!signedIn) throw problem("SIGN_IN_FAILED", "The link was used already or is older than 15 minutes; make a new one.");
        return { identity: await sessionIdentity(signedIn.who), secret: signedIn.secret };
      });
    },

    async signOut(secret, origin) {
      await sessions.end(secret, origin);
      changed();
    },

    async createSignInLink(by, origin = {}) {
      const isWhole = by.via === "session" || (by.limit !== undefined && may({ grants: [by.limit] }, "admin", EVERYTHING));
      if (!isWhole) {
        throw problem(
          "FORBIDDEN",
          "The link would sign in as the account, which may do more than this token: sign in with the password instead.",
        );
      }
      const own = { id: by.accountId, name: await accounts.nameOf(by.accountId) };
      const { secret, expiresAt } = await sessions.createLink(own, origin);
      return { url: `${publicUrl}/sign-in#link=${secret}`, expiresAt };
    },

    previewInvitation: (secret, from) => attempted(from, () => invitations.preview(secret)),

    async acceptInvitation(secret, name, password, from) {
      return attempted(from, async () => {
        // Before the hash, which costs more.
        await invitations.preview(secret);
        const { id, name: accepted, secret: session } = await invitations.accept(secret, name, await passwords.hash(password), from);
        return { identity: await sessionIdentity({ id, name: accepted }), secret: session };
      });
    },

    async changePassword(by, { old, new: wanted }, secret, from) {
      if (by.via !== "session")
        throw problem("FORBIDDEN", "A token changes no password; sign in and change it on the page of your account.");
      const { name } = by;
      await attempts.check(name, from.address);
      const find = async () => {
        await attempts.begin(name, from.address);
        return (await accountNamed(store.db, name)).passwordHash;
      };
      if (!(await passwords.verify(find, old))) throw problem("PASSWORD_WRONG", "The old password is wrong.");
      const passwordHash = await passwords.hash(wanted);
      await store.transaction(async (tx) => {
        await attempts.succeeded(tx, name, from.address);
        await tx.update(account).set({ passwordHash, passwordAt: now() }).where(eq(account.id, by.accountId));
        await sessions.endAll(tx, by.accountId, secret);
        const origin = { address: from.address, requestId: from.requestId };
        await store.audit(tx, { ...origin, by: name, action: "account.password", target: name, after: { via: "session" } });
      });
      changed();
    },

    async identify(method, header, isUse = true) {
      const authorization = header("authorization");
      if (authorization !== undefined) {
        const [, text] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
        try {
          if (!text) throw problem("TOKEN_INVALID", "The header Authorization must read 'Bearer sb_…'.");
          return { identity: await tokens.identify(text) };
        } catch (error) {
          const refusal = asProblem(error);
          if (refusal.code === "TOKEN_INVALID") return { refusal };
          throw error;
        }
      }
      const secret = cookie.read(header("cookie"));
      return secret === undefined ? {} : bySession(method, header, secret, isUse);
    },
  };
}
