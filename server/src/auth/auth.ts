import { eq } from "drizzle-orm";
import type { SignInLink } from "../api-types.ts";
import { asProblem, type Problem, problem } from "../errors.ts";
import type { Identity } from "../http/route.ts";
import type { Database } from "../store/rows.ts";
import { tables } from "../store/schema.sqlite.ts";
import { createAttempts } from "./attempts.ts";
import type { AuthStore } from "./auth-store.ts";
import { type SessionCookie, sessionCookie } from "./cookie.ts";
import { grantOld, grantsOf } from "./grants.ts";
import { crossOriginRefusal, type Header } from "./origin.ts";
import { createPasswords } from "./passwords.ts";
import { ADMIN_OF_EVERYTHING } from "./permissions.ts";
import { hashOf, newSecret, sameHash } from "./secrets.ts";
import { createSessions, type SessionAccount } from "./sessions.ts";
import { createTokens, type Tokens } from "./tokens.ts";

const { account, grant } = tables;

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
  readonly publicUrl: string;
  /** Once, before anything else: accounts of versions without roles become what they were, admins of everything. */
  prepare(): Promise<void>;
  /** Whether the first account is still to be named. */
  setupNeeded(): Promise<boolean>;
  /** The link that names the first account; undefined once it exists. */
  setupUrl(): Promise<string | undefined>;
  /** Makes the first account and signs in. SETUP_DONE when there is one, SETUP_TOKEN_WRONG for a wrong token. */
  setUp(token: string, name: string, password: string): Promise<SignedIn>;
  /** Makes the first account from the settings, unless there is one. */
  ensureFirstAccount(name: string, password: string): Promise<boolean>;
  signIn(name: string, password: string, address: string): Promise<SignedIn>;
  signInByLink(link: string, address: string): Promise<SignedIn>;
  signOut(secret: string): Promise<void>;
  createSignInLink(by: Identity): Promise<SignInLink>;
  /**
   * A token goes before a cookie; a cookie is not taken for a write that another origin could have caused. `isUse: false` asks
   * without keeping the session alive: a page that only listens in the background is not a person who works.
   */
  identify(method: string, header: Header, isUse?: boolean): Promise<Identified>;
}

export interface SignedIn {
  readonly name: string;
  /** The session's secret, for the cookie. */
  readonly secret: string;
}

/** Accounts, sessions, tokens: the only module that decides who somebody is. */
export function createAuth({ store, publicUrl, setupToken = newSecret(), now = Date.now }: AuthOptions): Auth {
  const cookie = sessionCookie(publicUrl);
  const passwords = createPasswords();
  const attempts = createAttempts(now);
  const sessions = createSessions(store, now);
  const tokens = createTokens(store, now);
  const setupHash = hashOf(setupToken);
  const isThereOne = async (db: Database) => (await db.select({ id: account.id }).from(account).limit(1)).length > 0;
  const setupNeeded = async () => !(await isThereOne(store.db));

  /** The check and the insert share one transaction: of two set-ups at once, one wins. Undefined when an account exists. */
  async function createFirst(name: string, password: string, via: "setup" | "settings"): Promise<SignedIn | undefined> {
    const passwordHash = await passwords.hash(password);
    return store.transaction(async (tx) => {
      if (await isThereOne(tx)) return undefined;
      const at = now();
      const [made] = await tx.insert(account).values({ name, passwordHash, createdAt: at, passwordAt: at }).returning({ id: account.id });
      if (!made) throw new Error("the insert of an account returned no row");
      await tx.insert(grant).values({ ...ADMIN_OF_EVERYTHING, accountId: made.id, at, by: name });
      await store.audit(tx, { by: name, action: "account.create", target: name, after: { via, grants: [ADMIN_OF_EVERYTHING] } });
      return { name, secret: via === "setup" ? await sessions.start(tx, { id: made.id, name }, "setup") : "" };
    });
  }

  async function bySession(method: string, header: Header, secret: string, isUse: boolean): Promise<Identified> {
    const who = await sessions.find(secret, isUse);
    if (!who) return { refusal: problem("UNAUTHENTICATED", "The session is over; sign in again.") };
    if (method !== "GET" && method !== "HEAD") {
      const refusal = crossOriginRefusal(header, publicUrl);
      if (refusal) return { refusal };
    }
    return { identity: { name: who.name, accountId: who.id, via: "session", grants: await grantsOf(store.db, who.id) } };
  }

  return {
    cookie,
    tokens,
    publicUrl,
    prepare: () => grantOld(store, now),
    setupNeeded,
    setupUrl: async () => ((await setupNeeded()) ? `${publicUrl}/setup#token=${setupToken}` : undefined),

    async setUp(token, name, password) {
      const done = () => problem("SETUP_DONE", "The first account exists already; sign in with it.");
      if (!(await setupNeeded())) throw done();
      if (!sameHash(hashOf(token), setupHash)) {
        throw problem("SETUP_TOKEN_WRONG", "The setup token is wrong or from an earlier start; use the link that this start printed.");
      }
      const signedIn = await createFirst(name, password, "setup");
      if (!signedIn) throw done();
      return signedIn;
    },

    async ensureFirstAccount(name, password) {
      if (!(await setupNeeded())) return false;
      return (await createFirst(name, password, "settings")) !== undefined;
    },

    async signIn(name, password, address) {
      attempts.begin(name, address);
      const [found] = await store.db.select().from(account).where(eq(account.name, name)).limit(1);
      if (!(await passwords.verify(found?.passwordHash, password)) || !found) {
        throw problem("SIGN_IN_FAILED", "The name or the password is wrong.");
      }
      attempts.succeeded(name, address);
      const who: SessionAccount = { id: found.id, name: found.name };
      // Urgent, as a kill is: who is not signed in must be able to come in for one, also on a full disk.
      return { name: who.name, secret: await store.transaction((tx) => sessions.start(tx, who, "password"), true) };
    },

    async signInByLink(link, address) {
      attempts.begin(undefined, address);
      const signedIn = await store.transaction(async (tx) => {
        const who = await sessions.takeLink(tx, link);
        return who && { name: who.name, secret: await sessions.start(tx, who, "link") };
      }, true);
      if (!signedIn) throw problem("SIGN_IN_FAILED", "The link was used already or is older than 15 minutes; make a new one.");
      attempts.succeeded(undefined, address);
      return signedIn;
    },

    signOut: (secret) => sessions.end(secret),

    async createSignInLink(by) {
      const { secret, expiresAt } = await sessions.createLink({ id: by.accountId, name: by.name });
      return { url: `${publicUrl}/sign-in#link=${secret}`, expiresAt };
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
