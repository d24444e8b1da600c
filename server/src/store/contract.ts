import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { applyChange, applySnapshot, createState, STATE_BYTES_MAX, xor64 } from "@signalbox/core";
import { eq, sql } from "drizzle-orm";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Commit } from "../delivery/feed.ts";
import { createFlag } from "../flags/decide.ts";
import { createFlags, type Flags } from "../flags/flags.ts";
import { createGroup } from "../groups/decide.ts";
import { createMembers } from "../groups/members.ts";
import { brokenAuditRow } from "./audit.ts";
import { runStatement } from "./database.ts";
import { findAnswer, type IdempotentWrite } from "./idempotency.ts";
import type { Outcome } from "./outcome.ts";
import { tables } from "./schema.sqlite.ts";
import { openStore, type Store, type StoreOptions } from "./store.ts";
import { NO_USAGE } from "./test-project.ts";
import { refuseRows } from "./test-rows.ts";

export type OpenStore = (options: StoreOptions) => Promise<Store>;

const DEVELOPMENT = { project: "default", environment: "development" };
const ANN = { by: "ann" };
const HASH_KEY = "000102030405060708090a0b0c0d0e0f";

/** What every store must do. `isFile`: over a file of SQLite, to which nobody else may write. */
export function describeStore(name: string, open: OpenStore, { isFile = true }: { readonly isFile?: boolean } = {}): void {
  // Every commit is flushed to the disk, which others may be using too.
  vi.setConfig({ testTimeout: 60_000 });
  describe(`store over ${name}`, () => {
    const opened: Store[] = [];
    const folders: string[] = [];

    function newFolder(): string {
      const folder = mkdtempSync(join(tmpdir(), "signalbox-store-"));
      folders.push(folder);
      return folder;
    }
    async function start(directory = newFolder()): Promise<{ store: Store; flags: Flags; directory: string }> {
      const store = await open({ directory });
      opened.push(store);
      return { store, flags: createFlags({ store, usage: NO_USAGE }), directory };
    }
    async function reopen(store: Store, directory: string) {
      opened.splice(opened.indexOf(store), 1);
      await store.close();
      return start(directory);
    }
    afterEach(async () => {
      for (const store of opened.splice(0)) await store.close();
      for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
    });

    const idOf = (store: Store, key = "development") =>
      store.feed.environments().find((environment) => environment.key === key)?.id ?? expect.fail(`no ${key}`);
    const head = (store: Store, key = "development") => store.feed.state(idOf(store, key), "server");
    const group = (store: Store, key: string, kind: "list" | "early-access") =>
      store.write({ project: "default", by: "ann" }, (current) => createGroup(current, "development", { key, kind }, HASH_KEY));
    const rows = async (store: Store, table: "changeSet" | "audit") => (await store.db.select().from(tables[table])).length;

    test("the first open makes a project with two environments and four SDK keys that say what they are", async () => {
      const { store, directory } = await start();
      expect(store.feed.environments()).toMatchObject([
        { key: "development", production: false, projectKey: "default" },
        { key: "production", production: true, projectKey: "default" },
      ]);
      for (const environment of store.feed.environments()) {
        for (const projection of ["server", "browser"] as const) {
          const text = store.sdkKeys.show(environment.id, projection) ?? "";
          expect(text).toMatch(new RegExp(`^sb_${projection}_${environment.key}_[A-Za-z0-9]{12}_[A-Za-z0-9_-]{43}$`));
          expect(store.sdkKeys.find(text)).toMatchObject({ environment, projection, origins: [] });
          expect(store.sdkKeys.find(`${text.slice(0, -1)}${text.endsWith("A") ? "B" : "A"}`)).toBeUndefined();
          expect(JSON.stringify(await store.db.select().from(tables.sdkKey))).not.toContain(text.slice(-43));
        }
      }
      for (const wrong of ["", "sb_server_development", "x".repeat(10_000), `sb_server_development_aaaaaaaaaaaa_${"a".repeat(43)}`]) {
        expect(store.sdkKeys.find(wrong)).toBeUndefined();
      }
      expect(statSync(join(directory, "secret.key")).mode & 0o777).toBe(0o600);
    });

    test("what was written is there after reopening: rows, digests, positions, ring, keys", async () => {
      const first = await start();
      await first.flags.create("default", { key: "a", browser: true }, ANN);
      await first.flags.configure(DEVELOPMENT, "a", { mode: "on" }, ANN);
      await first.flags.patch("default", undefined, "a", { key: "b" }, { by: "ann", ifMatch: "*" });
      await first.flags.kill(DEVELOPMENT, "b", { by: "ann", reason: "smoke" });
      await group(first.store, "g", "list");
      const id = idOf(first.store);
      const key = first.store.sdkKeys.show(id, "server");
      const before = { server: first.store.feed.state(id, "server"), browser: first.store.feed.state(id, "browser") };
      const flag = first.flags.get(DEVELOPMENT, "a");
      const commits = first.store.feed.commitsSince(id, 0)?.map((commit) => ({ ...commit, storedMs: 0 }));

      const second = await reopen(first.store, first.directory);
      expect({ server: second.store.feed.state(id, "server"), browser: second.store.feed.state(id, "browser") }).toEqual(before);
      expect(second.flags.get(DEVELOPMENT, "b")).toEqual(flag);
      expect(second.store.feed.commitsSince(id, 0)).toEqual(commits);
      expect(commits?.map(({ action, target, kill, reason }) => [action, target, kill, reason])).toEqual([
        ["flag.create", "a", false, null],
        ["flag.configure", "a", false, null],
        ["flag.rename", "b", false, null],
        ["flag.kill", "b", true, "smoke"],
        ["group.create", "g", false, null],
      ]);
      expect(second.store.sdkKeys.show(id, "server")).toBe(key);
      await second.flags.restore(DEVELOPMENT, "b", ANN);
      expect(head(second.store).revision).toBe(6);
    });

    test("of fifty writes at once with one ETag exactly one wins", async () => {
      const { store, flags } = await start();
      const { flag } = await flags.create("default", { key: "a" }, ANN);
      const attempts = Array.from({ length: 50 }, (_, i) =>
        flags
          .configure(
            DEVELOPMENT,
            "a",
            { mode: "targeted", rules: [{ id: `r${i}`, serve: { kind: "variant", variant: "on" } }] },
            { by: `p${i}`, ifMatch: flag.configurationEtag },
          )
          .then(
            () => "saved",
            (error: { code: string; extra: { current: unknown } }) =>
              `${error.code} ${Object.keys(Object(error.extra.current)).length > 10}`,
          ),
      );
      const answers = await Promise.all(attempts);
      expect(answers.filter((answer) => answer === "saved")).toHaveLength(1);
      expect(answers.filter((answer) => answer === "ETAG_MISMATCH true")).toHaveLength(49);
      expect(head(store).revision).toBe(2);
    });

    test("a write that changes nothing makes no revision, no change-set and no audit row", async () => {
      const { store, flags } = await start();
      await flags.create("default", { key: "a" }, ANN);
      await flags.kill(DEVELOPMENT, "a", ANN);
      const before = [head(store), await rows(store, "changeSet"), await rows(store, "audit")];
      for (const write of [
        () => flags.kill(DEVELOPMENT, "a", ANN),
        () => flags.configure(DEVELOPMENT, "a", { mode: "off" }, ANN),
        () => flags.patch("default", undefined, "a", { name: "a" }, { by: "ann", ifMatch: "*" }),
      ]) {
        expect(await write()).toMatchObject({ changed: false });
      }
      expect([head(store), await rows(store, "changeSet"), await rows(store, "audit")]).toEqual(before);
    });

    test("a refused write leaves nothing behind, in memory or in the file", async () => {
      const { store, flags, directory } = await start();
      await flags.create("default", { key: "a" }, ANN);
      const before = head(store);
      const refusal = flags.configure(DEVELOPMENT, "a", { requires: [{ flag: "nope", variants: ["on"] }], mode: "on" }, ANN);
      await expect(refusal).rejects.toMatchObject({ code: "CONFIGURATION_REFUSED", status: 422 });
      const thrower = store.write({ project: "default", by: "ann" }, () => {
        throw new RangeError("a defect in a decision");
      });
      await expect(thrower).rejects.toThrow("a defect in a decision");
      expect(head(store)).toBe(before);
      const again = await reopen(store, directory);
      expect(head(again.store)).toEqual(before);
      expect(again.flags.get(DEVELOPMENT, "a").configuration).toMatchObject({ mode: "off", requires: [] });
    });

    test("a write that fails in the file changes nothing, is a defect to the caller only if it is one, and the next one goes on", async () => {
      const { store, flags, directory } = await start();
      await flags.create("default", { key: "a" }, ANN);
      const before = head(store);
      // The last statement of a write fails, after all others have gone well.
      const allow = await refuseRows(store.db, "insert", "audit");
      await expect(flags.kill(DEVELOPMENT, "a", ANN)).rejects.toMatchObject({ message: expect.stringContaining("no") });
      await allow();
      expect(head(store)).toBe(before);
      expect(await rows(store, "changeSet")).toBe(2);
      if (isFile) {
        await store.transaction((tx) => void tx.run(sql`pragma query_only = on`));
        await expect(flags.kill(DEVELOPMENT, "a", ANN)).rejects.toMatchObject({
          code: "UNAVAILABLE",
          status: 503,
          message: expect.stringContaining("SQLITE_READONLY"),
        });
      }
      const again = await reopen(store, directory);
      expect(await again.flags.kill(DEVELOPMENT, "a", ANN)).toMatchObject({ changed: true, revision: 2 });
    });

    test("the ring holds no more than its bytes, before and after reopening", async () => {
      const { store, flags, directory } = await start();
      await flags.create("default", { key: "a" }, ANN);
      for (let i = 0; i < 8; i++) {
        const values = Array.from({ length: 300 }, (_, n) => `${i}-${n}-${"x".repeat(980)}`);
        await flags.configure(
          DEVELOPMENT,
          "a",
          { rules: [{ id: "r", when: { op: "in", attribute: "plan", values }, serve: { kind: "variant", variant: "on" } }] },
          ANN,
        );
      }
      const reach = (from: Store) => [9, 6, 5, 0].map((revision) => from.feed.commitsSince(idOf(from), revision)?.length);
      expect(reach(store)).toEqual([0, 3, undefined, undefined]);
      expect(reach((await reopen(store, directory)).store)).toEqual([0, 3, undefined, undefined]);
    });

    test("a create and a rename raise every environment in one transaction, a configuration only its own", async () => {
      const { store, flags } = await start();
      await flags.create("default", { key: "a" }, ANN);
      await flags.configure(DEVELOPMENT, "a", { mode: "on" }, ANN);
      await flags.patch("default", undefined, "a", { key: "b" }, { by: "ann", ifMatch: "*" });
      expect([head(store).revision, head(store, "production").revision]).toEqual([3, 2]);
    });

    test("listeners get each commit in the tick in which the state is swapped, in order, before the write is answered", async () => {
      const { store, flags } = await start();
      const seen: Commit[] = [];
      const stop = store.feed.onCommit((commit) => {
        expect(store.feed.state(commit.environmentId, "server").revision).toBe(commit.to);
        expect(store.feed.commitsSince(commit.environmentId, commit.from)?.[0]).toMatchObject({ to: commit.to });
        seen.push(commit);
      });
      await flags.create("default", { key: "a" }, ANN);
      expect(seen.map(({ environmentId, from, to }) => [environmentId, from, to])).toEqual([
        [1, 0, 1],
        [2, 0, 1],
      ]);
      await Promise.all([flags.kill(DEVELOPMENT, "a", ANN), flags.restore(DEVELOPMENT, "a", ANN)]);
      expect(seen.slice(2).map(({ action, kill, storedMs }) => [action, kill, storedMs > 0])).toEqual([
        ["flag.kill", true, true],
        ["flag.restore", false, true],
      ]);
      stop();
      await flags.kill(DEVELOPMENT, "a", ANN);
      expect(seen).toHaveLength(4);
    });

    test("a kill goes ahead of the writes that wait", async () => {
      const { flags } = await start();
      await flags.create("default", { key: "a" }, ANN);
      const order: string[] = [];
      const waiting = Array.from({ length: 20 }, (_, i) =>
        flags.patch("default", undefined, "a", { name: `n${i}` }, { by: "ann", ifMatch: "*" }).then(() => order.push("edit")),
      );
      const kill = flags.kill(DEVELOPMENT, "a", ANN).then(() => order.push("kill"));
      await Promise.all([...waiting, kill]);
      expect(order.indexOf("kill")).toBeLessThanOrEqual(1);
    });

    test("an Idempotency-Key is taken by the write that is committed, not by one that was undone", async () => {
      const { store } = await start();
      const idempotent: IdempotentWrite = { actor: "ann", key: "once", request: "r" };
      const write = () => store.write({ project: "default", by: "ann", idempotent }, (current) => createFlag(current, { key: "a" }));
      const allow = await refuseRows(store.db, "insert", "change_set");
      await expect(write()).rejects.toThrow();
      await allow();
      expect((await write()).outcome.kind).toBe("changed");
      expect(await findAnswer(store.db, "ann", "once", Date.now())).toEqual({ request: "r", answer: null });
    });

    test("past a thousand waiting writes the next is refused with 503, and those that wait are all done", async () => {
      const { store } = await start();
      const unchanged = (): Outcome => ({ kind: "unchanged" });
      const answers = await Promise.allSettled(
        Array.from({ length: 1_100 }, () => store.write({ project: "default", by: "ann" }, unchanged)),
      );
      const refused = answers.filter((answer) => answer.status === "rejected");
      expect(refused).toHaveLength(100);
      expect(refused[0]).toMatchObject({ reason: { code: "OVERLOADED", status: 503 } });
    });

    // Of the ring, which is the same for all: a thousand commits are many for a server.
    test.runIf(isFile)(
      "the ring reaches back a thousand commits, then says that it does not",
      async () => {
        const { store, flags, directory } = await start();
        await flags.create("default", { key: "a" }, ANN);
        const id = idOf(store);
        for (let i = 0; i < 1_005; i++) await (i % 2 ? flags.restore(DEVELOPMENT, "a", ANN) : flags.kill(DEVELOPMENT, "a", ANN));
        const again = await reopen(store, directory);
        for (const { feed } of [again.store]) {
          expect(feed.commitsSince(id, 1_006)).toEqual([]);
          expect(feed.commitsSince(id, 6)).toHaveLength(1_000);
          expect(feed.commitsSince(id, 5)).toBeUndefined();
          expect(feed.commitsSince(id, 1_007)).toBeUndefined();
        }
        expect(await rows(again.store, "changeSet")).toBe(1_007);
      },
      60_000,
    );

    test("the change log folded over an empty state gives the snapshot", async () => {
      const { store, flags } = await start();
      await flags.create("default", { key: "a", browser: true }, ANN);
      await group(store, "beta", "early-access");
      await flags.create("default", { key: "b" }, ANN);
      await flags.configure(
        DEVELOPMENT,
        "b",
        { mode: "targeted", rules: [{ when: { op: "group", group: "beta" }, serve: { kind: "variant", variant: "on" } }] },
        ANN,
      );
      for (const unit of ["u1", "u2", "u3"])
        await createMembers(store).participate({ environmentId: idOf(store), group: "beta", unit, joining: true, vouched: true });
      await createMembers(store).participate({ environmentId: idOf(store), group: "beta", unit: "u2", joining: false, vouched: true });
      await flags.patch("default", undefined, "a", { key: "c" }, { by: "ann", ifMatch: "*" });
      for (const projection of ["server", "browser"] as const) {
        const target = store.feed.state(idOf(store), projection);
        const state = createState();
        const { generation } = target;
        applySnapshot(state, { generation, revision: 0, digest: "0".repeat(16), factsAt: 0, environment: "d", project: "p", entries: [] });
        for (const { from, to, projections } of store.feed.commitsSince(idOf(store), 0) ?? []) {
          expect(applyChange(state, { generation, from, to, ...projections[projection] }).kind).toBe("applied");
        }
        const entries = JSON.parse(JSON.stringify([...state.entries]));
        for (const [, { list }] of entries) list?.members.sort();
        expect(new Map(entries)).toEqual(target.entries);
      }
    });

    test("early access: join, leave and rejoin, remembered; clear units only in the side table", async () => {
      const { store, directory } = await start();
      const environmentId = idOf(store);
      await group(store, "beta", "early-access");
      await group(store, "staff", "list");
      const who = { environmentId, group: "beta", unit: "person-7", joining: true, vouched: true };
      expect(await createMembers(store).participate(who)).toMatchObject({ group: "beta", joined: true, revision: 3 });
      expect(await createMembers(store).participate(who)).toMatchObject({ joined: true, revision: 3 });
      expect(await createMembers(store).programs(environmentId, "person-7")).toEqual([
        { group: "beta", name: "beta", description: "", by: "key", joined: true },
      ]);
      expect(await createMembers(store).participate({ ...who, joining: false })).toMatchObject({ joined: false, revision: 4 });
      expect(await createMembers(store).programs(environmentId, "person-7")).toMatchObject([{ joined: false }]);
      const beta = store.project("default")?.environments[0]?.groups.get("beta") ?? expect.fail("no group");
      expect(await createMembers(store).page(beta, undefined, 10)).toMatchObject([{ unit: "person-7", state: "left", by: "early access" }]);
      await createMembers(store).change({
        environmentId,
        group: "beta",
        author: { by: "ann" },
        change: { add: ["person-7"], remove: [], rejoin: true },
        action: "group.members",
      });
      expect(await createMembers(store).programs(environmentId, "person-7")).toMatchObject([{ joined: true }]);
      for (const wrong of ["staff", "nope"]) {
        await expect(createMembers(store).participate({ ...who, group: wrong })).rejects.toMatchObject({ code: "GROUP_NOT_FOUND" });
      }
      const log = JSON.stringify([await store.db.select().from(tables.changeSet), await store.db.select().from(tables.audit)]);
      expect(log).not.toContain("person-7");
      expect(log).toContain("early-access.join");
      const again = await reopen(store, directory);
      expect(await createMembers(again.store).programs(environmentId, "person-7")).toMatchObject([{ joined: true }]);
    });

    test("the audit is chained: a row that is changed or taken out is found", async () => {
      const { store, flags } = await start();
      await store.transaction((tx) => store.audit(tx, { by: "ann", action: "account.create", target: "ann", after: { via: "setup" } }));
      await flags.create("default", { key: "a" }, ANN);
      await flags.kill(DEVELOPMENT, "a", { by: "ann", reason: "it burns" });
      expect(await brokenAuditRow(store.db)).toBeUndefined();
      expect(await store.db.select().from(tables.audit).orderBy(tables.audit.id)).toMatchObject([
        { action: "account.create", environmentId: null },
        { action: "flag.create", environmentId: 1, revision: 1 },
        { action: "flag.create", environmentId: 2, revision: 1 },
        {
          action: "flag.kill",
          environmentId: 1,
          revision: 2,
          reason: "it burns",
          before: { killed: null },
          after: { killed: { by: expect.stringMatching(/^@[0-9a-f]{16}$/) } },
        },
      ]);
      const [{ by = "" } = {}] = await store.db.select({ by: tables.audit.by }).from(tables.audit).where(eq(tables.audit.id, 2));
      await store.db.update(tables.audit).set({ by: "eve" }).where(eq(tables.audit.id, 2));
      expect(await brokenAuditRow(store.db)).toBe(2);
      await store.db.update(tables.audit).set({ by }).where(eq(tables.audit.id, 2));
      await store.db.delete(tables.audit).where(eq(tables.audit.id, 3));
      expect(await brokenAuditRow(store.db)).toBe(4);
    });

    test("a projection above 8 MiB is refused with its size; a kill never is", async () => {
      const { store, flags } = await start();
      const rule = (i: number) => ({
        id: `r${i}`,
        when: { op: "in" as const, attribute: "plan", values: Array.from({ length: 900 }, (_, n) => `${i}-${n}-${"x".repeat(980)}`) },
        serve: { kind: "variant" as const, variant: "on" },
      });
      for (const key of ["a", "b"]) await flags.create("default", { key }, ANN);
      await flags.configure(DEVELOPMENT, "a", { rules: [0, 1, 2, 3, 4].map(rule) }, ANN);
      const tooMuch = flags.configure(DEVELOPMENT, "b", { rules: [0, 1, 2, 3, 4].map(rule) }, ANN);
      await expect(tooMuch).rejects.toMatchObject({ code: "STATE_TOO_LARGE", status: 422, message: expect.stringContaining("8.0 MiB") });
      const bytes = [...head(store).entries.values()].reduce((sum, entry) => sum + JSON.stringify(entry).length, 0);
      expect(bytes).toBeLessThan(STATE_BYTES_MAX);
      expect(await flags.kill(DEVELOPMENT, "a", ANN)).toMatchObject({ changed: true });
    });

    test("a second store in the same folder is refused with a sentence, and the folder is free after closing", async () => {
      const { store, directory } = await start();
      await expect(open({ directory })).rejects.toThrow(/^The data folder .* is in use by another Signalbox: stop that one first/);
      await reopen(store, directory);
    });

    test("rows that do not fit the digest stop the start with what differs and what to do", async () => {
      const { store, flags, directory } = await start();
      await flags.create("default", { key: "a" }, ANN);
      const { digest } = head(store);
      await store.db
        .update(tables.environment)
        .set({ serverDigest: xor64(digest, "0000000000000001") })
        .where(eq(tables.environment.id, 1));
      opened.splice(opened.indexOf(store), 1);
      await store.close();
      await expect(open({ directory })).rejects.toThrow(/default\/development do not fit their digest.*put a backup/);
    });

    test("what an older version did not show to browsers is a revision of its own, audited, once", async () => {
      const { store, flags, directory } = await start();
      await flags.create("default", { key: "a", browser: true }, ANN);
      const when = { op: "in" as const, attribute: "key", values: ["ann"] };
      await flags.configure(DEVELOPMENT, "a", { rules: [{ id: "r", when, serve: { kind: "variant", variant: "on" } }] }, ANN);
      const shown = store.feed.state(1, "browser");
      // As an older version left it: the flag was taken away from browsers, and facts had no numbers.
      await runStatement(store.db, sql`delete from meta where key = 'projection'`);
      await store.db.delete(tables.fact);
      await store.db
        .update(tables.environment)
        .set({ browserDigest: "0".repeat(16) })
        .where(eq(tables.environment.id, 1));
      await store.db
        .update(tables.changeSet)
        .set({ browser: { digest: "0".repeat(16), put: [], remove: ["flag:a"] } })
        .where(sql`environment_id = 1 and revision = 2`);
      const again = await reopen(store, directory);
      const after = again.store.feed.state(1, "browser");
      expect([after.revision, after.digest]).toEqual([shown.revision + 1, shown.digest]);
      expect(again.store.feed.commitsSince(1, shown.revision)).toMatchObject([
        {
          by: "Signalbox",
          action: "environment.upgrade",
          projections: { server: { put: [] }, browser: { put: [{ key: "a" }], remove: [] } },
        },
      ]);
      expect(await brokenAuditRow(again.store.db)).toBeUndefined();
      const third = await reopen(again.store, directory);
      expect(third.store.feed.state(1, "browser").revision).toBe(after.revision);
    });

    test("of facts that no flag needs ten thousand are remembered, and no number is given to another one", async () => {
      const { store, flags, directory } = await start();
      const one = { serve: { kind: "variant", variant: "on" } } as const;
      const forKey = (of: typeof flags, key: string) =>
        of.configure(DEVELOPMENT, "a", { rules: [{ id: "r", when: { op: "in", attribute: "key", values: [key] }, ...one }] }, ANN);
      const shown = (of: typeof store) => JSON.stringify([...of.feed.state(1, "browser").entries.values()]);
      const rows = async (of: typeof store) => {
        const { number, environmentId } = tables.fact;
        const found = await of.db.select({ number }).from(tables.fact).where(eq(environmentId, 1)).orderBy(number);
        return found.map((row) => row.number);
      };
      await flags.create("default", { key: "a", browser: true }, ANN);
      await forKey(flags, "ann");
      expect(shown(store)).toContain('"fact":1}');
      // As ten thousand and five edits of conditions would have left it.
      await runStatement(
        store.db,
        sql`insert into fact with recursive edit(number) as (select 2 union all select number + 1 from edit where number < 10006) select 1, number, 'h' || number from edit`,
      );
      const again = await reopen(store, directory);
      await forKey(again.flags, "bob");
      expect(shown(again.store)).toContain('"fact":10007}');
      const left = await rows(again.store);
      expect([left.length, left[0]]).toEqual([10_001, 7]);
      await forKey(again.flags, "ann");
      expect(shown(again.store)).toContain('"fact":10008}');
      await forKey(again.flags, "bob");
      expect(shown(again.store)).toContain('"fact":10007}');
      const kept = [shown(again.store), await rows(again.store)];
      const third = await reopen(again.store, directory);
      expect([shown(third.store), await rows(third.store)]).toEqual(kept);
    });

    test.runIf(isFile)("a write finds out that something else has written to the file", async () => {
      const { store, flags } = await start();
      await flags.create("default", { key: "a" }, ANN);
      await runStatement(store.db, sql`update environment set revision = revision + 1 where id = 1`);
      await expect(flags.kill(DEVELOPMENT, "a", ANN)).rejects.toThrow(/something else has written to the file; restart/);
      await runStatement(store.db, sql`update environment set revision = revision - 1 where id = 1`);
    });

    test("a database of a newer program is refused", async () => {
      const { store, directory } = await start();
      await runStatement(store.db, sql`insert into __drizzle_migrations (hash, created_at) values ('x', 9999999999999)`);
      opened.splice(opened.indexOf(store), 1);
      await store.close();
      await expect(open({ directory })).rejects.toThrow(/^The database was written by a newer Signalbox/);
    });

    test("a folder that cannot be made or written is refused with a sentence", async () => {
      const file = join(newFolder(), "file");
      writeFileSync(file, "");
      await expect(open({ directory: join(file, "data") })).rejects.toThrow(/^The data folder .* cannot be written .*SIGNALBOX_DATA/);
    });

    test("with another secret the keys go on working and are not shown; a damaged secret is refused", async () => {
      const { store, directory } = await start();
      const key = store.sdkKeys.show(1, "server") ?? "";
      const secret = join(directory, "secret.key");
      expect(existsSync(secret)).toBe(true);
      rmSync(secret);
      const again = await reopen(store, directory);
      expect(again.store.sdkKeys.find(key)).toMatchObject({ projection: "server" });
      expect(again.store.sdkKeys.show(1, "server")).toBeUndefined();
      opened.splice(opened.indexOf(again.store), 1);
      await again.store.close();
      chmodSync(secret, 0o600);
      writeFileSync(secret, readFileSync(secret, "utf8").slice(0, 10));
      await expect(open({ directory })).rejects.toThrow(/secret\.key is damaged/);
    });
  });
}

export const openWith =
  (driver: "better-sqlite3" | "libsql"): OpenStore =>
  (options) =>
    openStore({ ...options, driver });
