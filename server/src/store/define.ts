import type { Condition, Json, Mode, Requirement, Rule } from "@signalbox/core";
import type { ProjectedChange } from "../delivery/feed.ts";
import type * as columns from "./columns.sqlite.ts";

/** What one environment holds of a flag, as stored; the kill lies beside it. Rollouts and weights are in buckets of 100,000. */
export interface StoredConfiguration {
  readonly mode: Mode;
  readonly off: string;
  readonly on: string;
  readonly values: { readonly [variant: string]: Json };
  readonly rules: readonly Rule[];
  readonly requires: readonly Requirement[];
  readonly parent: string | null;
  readonly detached: boolean;
  readonly browser: boolean;
  readonly archived: boolean;
  readonly salt: string;
}

export interface StoredKill {
  readonly at: number;
  readonly by: string;
  readonly reason: string | null;
  /** Of the configuration that it was laid over; kills of older versions of Signalbox have none. */
  readonly version?: number;
}

/** What people may be: see docs/roles.md. */
export type Role = "viewer" | "editor" | "releaser" | "operator" | "admin";

/** A role in a project and an environment, in all of them where they are null. */
export interface StoredGrant {
  readonly role: Role;
  readonly projectId: number | null;
  readonly environmentId: number | null;
}

/** What a flag is for, which says how long it should live. */
export type FlagKind = "release" | "experiment" | "ops" | "permission";

export interface FlagLink {
  readonly title: string;
  readonly url: string;
}

export interface StoredAnswer {
  readonly status: number;
  readonly etag: string | null;
  readonly body: Json;
}

/** All tables, once, for every dialect. Only ever additive: expand, migrate, contract a release later. */
export function define(c: typeof columns) {
  const meta = c.table("meta", { key: c.string("key").primaryKey(), value: c.string("value").notNull() });

  const project = c.table("project", {
    id: c.id(),
    key: c.string("key").notNull().unique(),
    name: c.string("name").notNull(),
    description: c.string("description").notNull().default(""),
    /** Of name and description; an ETag. */
    version: c.int("version").notNull().default(1),
    createdAt: c.time("created_at").notNull().default(0),
    /** Signalbox's own, for the heartbeat switch: no list shows it, and its change log is cut short. */
    hidden: c.bool("hidden").notNull().default(false),
    /** A deleted project keeps its rows for the audit; nothing serves or lists it. */
    deletedAt: c.time("deleted_at"),
  });

  const ofProject = () =>
    c
      .int("project_id")
      .notNull()
      .references(() => project.id);

  /** The head row: a write locks it, and raises revision and digests in its transaction. */
  const environment = c.table(
    "environment",
    {
      id: c.id(),
      projectId: ofProject(),
      key: c.string("key").notNull(),
      name: c.string("name").notNull(),
      production: c.bool("production").notNull(),
      color: c.string("color").notNull(),
      position: c.int("position").notNull(),
      generation: c.int("generation").notNull(),
      revision: c.int("revision").notNull(),
      serverDigest: c.string("server_digest").notNull(),
      browserDigest: c.string("browser_digest").notNull(),
      /** The last revision that changed the content of a fact. */
      factsAt: c.int("facts_at").notNull().default(0),
      /** Browsers have to send their context signed. */
      secureMode: c.bool("secure_mode").notNull().default(false),
      /** The newest signing secret; its text is derived from the data folder's secret. Those up to `signingRetired` hold no more. */
      signingVersion: c.int("signing_version").notNull().default(1),
      signingRetired: c.int("signing_retired").notNull().default(0),
      /** Attributes that never leave the server in a condition, and are removed from sampled contexts. */
      privateAttributes: c.json<readonly string[]>("private_attributes").notNull().default([]),
      sampleContexts: c.bool("sample_contexts").notNull().default(false),
      /** Of key, name, color, position and production; an ETag. */
      version: c.int("version").notNull().default(1),
      /** A deleted environment keeps its rows for the audit; nothing serves or lists it. */
      deletedAt: c.time("deleted_at"),
    },
    (t) => [c.uniqueIndex("environment_key").on(t.projectId, t.key)],
  );

  const ofEnvironment = () =>
    c
      .int("environment_id")
      .notNull()
      .references(() => environment.id);

  /**
   * `selector` finds the row, `hash` is SHA-256 of the whole key. A server key's text is derived from the data folder's
   * secret and the selector, so the database alone never holds it; a browser key is public.
   */
  const sdkKey = c.table("sdk_key", {
    id: c.id(),
    environmentId: ofEnvironment(),
    projection: c.string("projection").$type<"server" | "browser">().notNull(),
    selector: c.string("selector").notNull().unique(),
    hash: c.string("hash").notNull(),
    createdAt: c.time("created_at").notNull(),
    revokedAt: c.time("revoked_at"),
    name: c.string("name").notNull().default(""),
    createdBy: c.string("created_by").notNull().default(""),
    expiresAt: c.time("expires_at"),
    lastUsedAt: c.time("last_used_at"),
    /** Of a browser key: the origins of pages that may use it; every one when empty. */
    origins: c.json<readonly string[]>("origins").notNull().default([]),
  });

  const flag = c.table(
    "flag",
    {
      id: c.id(),
      projectId: ofProject(),
      key: c.string("key").notNull(),
      name: c.string("name").notNull(),
      description: c.string("description").notNull(),
      type: c.string("type").$type<"boolean" | "string" | "number" | "json">().notNull(),
      tags: c.json<readonly string[]>("tags").notNull(),
      owner: c.string("owner"),
      links: c.json<readonly FlagLink[]>("links").notNull().default([]),
      kind: c.string("kind").$type<FlagKind>().notNull().default("release"),
      /** Days after its creation by which it should be gone; null for one that stays. */
      expectedDays: c.int("expected_days"),
      version: c.int("version").notNull(),
      createdAt: c.time("created_at").notNull(),
      createdBy: c.string("created_by").notNull(),
    },
    (t) => [c.uniqueIndex("flag_key").on(t.projectId, t.key)],
  );

  const ofFlag = () =>
    c
      .int("flag_id")
      .notNull()
      .references(() => flag.id);

  /** Old keys of renamed flags. A key is a flag's or an alias, never both. */
  const flagAlias = c.table(
    "flag_alias",
    {
      projectId: ofProject(),
      key: c.string("key").notNull(),
      flagId: ofFlag(),
    },
    (t) => [c.primaryKey({ columns: [t.projectId, t.key] })],
  );

  /** Keys of deleted flags: one is given again only by whoever says that it is meant. */
  const flagTombstone = c.table(
    "flag_tombstone",
    {
      projectId: ofProject(),
      key: c.string("key").notNull(),
      deletedAt: c.time("deleted_at").notNull(),
      deletedBy: c.string("deleted_by").notNull(),
    },
    (t) => [c.primaryKey({ columns: [t.projectId, t.key] })],
  );

  const flagConfiguration = c.table(
    "flag_configuration",
    {
      flagId: ofFlag(),
      environmentId: ofEnvironment(),
      body: c.json<StoredConfiguration>("body").notNull(),
      killed: c.json<StoredKill>("killed"),
      /** Raised by each write of `body`, not by kill and restore, so that a kill never voids an open form. */
      version: c.int("version").notNull(),
      updatedAt: c.time("updated_at").notNull(),
      updatedBy: c.string("updated_by").notNull(),
    },
    (t) => [c.primaryKey({ columns: [t.flagId, t.environmentId] })],
  );

  const group = c.table(
    "flag_group",
    {
      id: c.id(),
      environmentId: ofEnvironment(),
      key: c.string("key").notNull(),
      kind: c.string("kind").$type<"conditions" | "list" | "early-access">().notNull(),
      name: c.string("name").notNull(),
      description: c.string("description").notNull(),
      by: c.string("by").notNull(),
      when: c.json<Condition>("when"),
      /** 32 hexadecimal digits: the SipHash key of this group's list. */
      hashKey: c.string("hash_key").notNull(),
      version: c.int("version").notNull(),
      updatedAt: c.time("updated_at").notNull(),
      updatedBy: c.string("updated_by").notNull(),
    },
    (t) => [c.uniqueIndex("flag_group_key").on(t.environmentId, t.key)],
  );

  /** The side table of clear units. A row with state `left` remembers that this unit has left. */
  const groupMember = c.table(
    "group_member",
    {
      groupId: c
        .int("group_id")
        .notNull()
        .references(() => group.id),
      unit: c.string("unit").notNull(),
      state: c.string("state").$type<"member" | "left">().notNull(),
      at: c.time("at").notNull(),
      by: c.string("by").notNull(),
    },
    (t) => [c.primaryKey({ columns: [t.groupId, t.unit] })],
  );

  /** Clear units of rows that are no more in `group_member`, so that a revert can bring them back. Erasing a unit takes it out of both. */
  const formerMember = c.table(
    "former_member",
    {
      /** Of a group that may be deleted. */
      groupId: c.int("group_id").notNull(),
      unit: c.string("unit").notNull(),
      state: c.string("state").$type<"member" | "left">().notNull(),
      at: c.time("at").notNull(),
      by: c.string("by").notNull(),
    },
    (t) => [c.primaryKey({ columns: [t.groupId, t.unit] })],
  );

  /** The change log: one row per revision, contiguous, written in the transaction that raised the head. */
  const changeSet = c.table(
    "change_set",
    {
      environmentId: ofEnvironment(),
      revision: c.int("revision").notNull(),
      generation: c.int("generation").notNull(),
      at: c.time("at").notNull(),
      by: c.string("by").notNull(),
      action: c.string("action").notNull(),
      target: c.string("target").notNull(),
      reason: c.string("reason"),
      kill: c.bool("kill").notNull(),
      server: c.json<ProjectedChange>("server").notNull(),
      browser: c.json<ProjectedChange>("browser").notNull(),
      /** What the rows that it wrote hold after it: what history is read from. Null in change-sets of older versions. */
      record: c.json<Json>("record"),
      /** The same for all environments that one write changed: the id of its first audit row. */
      writeId: c.int("write_id"),
    },
    (t) => [c.primaryKey({ columns: [t.environmentId, t.revision] })],
  );

  /** Which changes are about a flag or a group: one row for each that a change touched. */
  const changeItem = c.table(
    "change_item",
    {
      environmentId: ofEnvironment(),
      kind: c.string("kind").$type<"flag" | "group" | "settings">().notNull(),
      itemId: c.int("item_id").notNull(),
      revision: c.int("revision").notNull(),
    },
    (t) => [c.primaryKey({ columns: [t.environmentId, t.kind, t.itemId, t.revision] })],
  );

  /** The whole of an environment's rows at a revision, so that the past is read from the nearest one and not from the beginning. */
  const checkpoint = c.table(
    "checkpoint",
    {
      environmentId: ofEnvironment(),
      revision: c.int("revision").notNull(),
      generation: c.int("generation").notNull(),
      at: c.time("at").notNull(),
      body: c.json<Json>("body").notNull(),
    },
    (t) => [c.primaryKey({ columns: [t.environmentId, t.revision] })],
  );

  /** Append-only; `hash` = SHA-256 over the previous hash and this row. */
  const audit = c.table(
    "audit",
    {
      id: c.id(),
      at: c.time("at").notNull(),
      by: c.string("by").notNull(),
      action: c.string("action").notNull(),
      projectId: c.int("project_id"),
      environmentId: c.int("environment_id"),
      revision: c.int("revision"),
      target: c.string("target").notNull(),
      reason: c.string("reason"),
      before: c.json<Json>("before"),
      after: c.json<Json>("after"),
      /** From where it came; part of the hash where they are not null. */
      token: c.string("token"),
      address: c.string("address"),
      requestId: c.string("request_id"),
      previousHash: c.string("previous_hash").notNull(),
      hash: c.string("hash").notNull(),
    },
    (t) => [c.index("audit_target").on(t.environmentId, t.target)],
  );

  /** The side table of names: the audit and the change log say who did something by `key`, so that a name can be erased and the chain stays. */
  const actor = c.table("actor", {
    key: c.string("key").primaryKey(),
    name: c.string("name").notNull(),
    erasedAt: c.time("erased_at"),
  });

  const account = c.table("account", {
    id: c.id(),
    name: c.string("name").notNull().unique(),
    passwordHash: c.string("password_hash").notNull(),
    createdAt: c.time("created_at").notNull(),
    /** Cannot sign in and its tokens hold no more. */
    disabledAt: c.time("disabled_at"),
    passwordAt: c.time("password_at"),
    /** When it was last used; noted every few minutes. */
    seenAt: c.time("seen_at"),
  });

  const ofAccount = () =>
    c
      .int("account_id")
      .notNull()
      .references(() => account.id);

  /** What an account may: a role in a project and an environment, in all of them where they are null. */
  const grant = c.table(
    "account_grant",
    {
      id: c.id(),
      accountId: ofAccount(),
      role: c.string("role").$type<Role>().notNull(),
      projectId: c.int("project_id").references(() => project.id),
      environmentId: c.int("environment_id").references(() => environment.id),
      at: c.time("at").notNull(),
      by: c.string("by").notNull(),
    },
    (t) => [c.index("account_grant_account").on(t.accountId)],
  );

  /** A link with which somebody names an account of their own, or, with `accountId`, a new password for it. Used once. */
  const invitation = c.table("invitation", {
    id: c.id(),
    hash: c.string("hash").notNull().unique(),
    accountId: c.int("account_id").references(() => account.id),
    note: c.string("note").notNull().default(""),
    grants: c.json<readonly StoredGrant[]>("grants").notNull(),
    createdAt: c.time("created_at").notNull(),
    by: c.string("by").notNull(),
    expiresAt: c.time("expires_at").notNull(),
    usedAt: c.time("used_at"),
    revokedAt: c.time("revoked_at"),
  });

  /** Failed attempts to sign in, by account and by address: limits survive a restart. */
  const attempt = c.table(
    "sign_in_attempt",
    {
      /** `account:` or `address:` and the hash of the name or address. */
      key: c.string("key").primaryKey(),
      failures: c.int("failures").notNull(),
      /** When the last one was. */
      at: c.time("at").notNull(),
    },
    (t) => [c.index("sign_in_attempt_at").on(t.at)],
  );

  const session = c.table("session", {
    hash: c.string("hash").primaryKey(),
    accountId: ofAccount(),
    createdAt: c.time("created_at").notNull(),
    seenAt: c.time("seen_at").notNull(),
    /** Where and with what it was begun, for the list of one's own sessions. */
    address: c.string("address"),
    agent: c.string("agent"),
  });

  const token = c.table("token", {
    id: c.id(),
    selector: c.string("selector").notNull().unique(),
    hash: c.string("hash").notNull(),
    name: c.string("name").notNull(),
    /** A role; `kill` may list, show and kill. */
    scope: c.string("scope").$type<Role | "kill">().notNull(),
    /** Who made it. A personal token ends with its account and never exceeds it; a service token stays. */
    accountId: ofAccount(),
    kind: c.string("kind").$type<"personal" | "service">().notNull().default("personal"),
    /** Where it holds; everywhere that its maker may where they are null. */
    projectId: c.int("project_id").references(() => project.id),
    environmentId: c.int("environment_id").references(() => environment.id),
    /** Of a token for killing: the keys of the flags that it may kill; all when null. */
    flags: c.json<readonly string[]>("flags"),
    createdAt: c.time("created_at").notNull(),
    expiresAt: c.time("expires_at").notNull(),
    lastUsedAt: c.time("last_used_at"),
    revokedAt: c.time("revoked_at"),
  });

  const signInLink = c.table("sign_in_link", {
    hash: c.string("hash").primaryKey(),
    accountId: ofAccount(),
    expiresAt: c.time("expires_at").notNull(),
  });

  /** The last reported evaluation of each flag key, also of keys that no flag has. Bounded: see `usage/`. */
  const usage = c.table(
    "usage",
    {
      environmentId: ofEnvironment(),
      flagKey: c.string("flag_key").notNull(),
      known: c.string("known").$type<"known" | "unknown" | "hidden">().notNull(),
      app: c.string("app").notNull(),
      variant: c.string("variant"),
      count: c.int("count").notNull(),
      at: c.time("at").notNull(),
    },
    (t) => [c.primaryKey({ columns: [t.environmentId, t.flagKey, t.known] })],
  );

  /** The number of each condition that is a fact, by the hash of its canonical form. No number is used again, so the highest row stays. */
  const fact = c.table(
    "fact",
    {
      environmentId: ofEnvironment(),
      number: c.int("number").notNull(),
      hash: c.string("hash").notNull(),
    },
    (t) => [c.primaryKey({ columns: [t.environmentId, t.number] }), c.uniqueIndex("fact_hash").on(t.environmentId, t.hash)],
  );

  /** Who had applied a revision, as last known. Beside the audit, and not part of its chain: it grows after the write. */
  const receipt = c.table(
    "receipt",
    {
      environmentId: ofEnvironment(),
      revision: c.int("revision").notNull(),
      generation: c.int("generation").notNull(),
      body: c.json<Json>("body").notNull(),
      at: c.time("at").notNull(),
    },
    (t) => [c.primaryKey({ columns: [t.environmentId, t.revision] })],
  );

  /** Evaluations in one step of time: `at` is its beginning, `stepMs` its length. Old steps are gathered into longer ones. */
  const usageCount = c.table(
    "usage_count",
    {
      environmentId: ofEnvironment(),
      flagKey: c.string("flag_key").notNull(),
      stepMs: c.int("step_ms").notNull(),
      at: c.time("at").notNull(),
      revision: c.int("revision").notNull(),
      variant: c.string("variant").notNull(),
      count: c.int("count").notNull(),
    },
    (t) => [
      c.primaryKey({ columns: [t.environmentId, t.flagKey, t.stepMs, t.at, t.revision, t.variant] }),
      c.index("usage_count_at").on(t.stepMs, t.at),
    ],
  );

  /** The last report that was counted of each instance, so that one that is sent again is not counted again. */
  const usageBatch = c.table(
    "usage_batch",
    {
      environmentId: ofEnvironment(),
      instance: c.string("instance").notNull(),
      batch: c.int("batch").notNull(),
      at: c.time("at").notNull(),
    },
    (t) => [c.primaryKey({ columns: [t.environmentId, t.instance] })],
  );

  /** Contexts that programs sent to try edits on, without private attributes. Empty unless the environment asks for them. */
  const sampledContext = c.table(
    "sampled_context",
    {
      environmentId: ofEnvironment(),
      hash: c.string("hash").notNull(),
      context: c.json<Json>("context").notNull(),
      at: c.time("at").notNull(),
    },
    (t) => [c.primaryKey({ columns: [t.environmentId, t.hash] })],
  );

  /** Answers to writes that named an Idempotency-Key, kept for a day. Written in the transaction of the write itself. */
  const idempotency = c.table(
    "idempotency",
    {
      /** Whose key it is: an account or a token. */
      actor: c.string("actor").notNull(),
      key: c.string("key").notNull(),
      /** SHA-256 over method, path and body: the same key with another request is refused. */
      request: c.string("request").notNull(),
      at: c.time("at").notNull(),
      /** Null from the commit until the answer is known. */
      answer: c.json<StoredAnswer>("answer"),
    },
    (t) => [c.primaryKey({ columns: [t.actor, t.key] }), c.index("idempotency_at").on(t.at)],
  );

  return {
    meta,
    project,
    environment,
    sdkKey,
    flag,
    flagAlias,
    flagTombstone,
    flagConfiguration,
    group,
    groupMember,
    formerMember,
    changeSet,
    changeItem,
    checkpoint,
    audit,
    actor,
    account,
    grant,
    invitation,
    attempt,
    session,
    token,
    signInLink,
    usage,
    fact,
    receipt,
    usageCount,
    usageBatch,
    sampledContext,
    idempotency,
  };
}
