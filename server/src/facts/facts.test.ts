import { type Context, contextHash, unitTag } from "@signalbox/core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openTestStore, type TestStore } from "../delivery/test-store.ts";
import { type ManualClock, manualClock, turn, until } from "../delivery/test-support.ts";
import { configure } from "../flags/decide.ts";
import { createMembers } from "../groups/members.ts";
import { createFacts, type Facts } from "./facts.ts";

const ON = { kind: "variant", variant: "on" } as const;
const RULES = [
  { id: "people", when: { op: "in", attribute: "key", values: ["ann"] }, serve: ON },
  { id: "beta", when: { op: "group", group: "beta" }, serve: ON },
  { id: "office", when: { op: "cidr", attribute: "client.ip", values: ["10.0.0.0/8"] }, serve: ON },
  { id: "mail", when: { op: "matches", attribute: "email", values: ["@acme"], textLengthMax: 100 }, serve: ON },
] as const;

let parts: TestStore;
let clock: ManualClock;
let facts: Facts;

beforeEach(async () => {
  parts = await openTestStore();
  clock = manualClock();
  facts = createFacts({ store: parts.store, clock });
  await parts.createFlag("a");
  await parts.createEarlyAccess("beta");
  await parts.store.write({ project: "default", by: "ada" }, (current) =>
    configure(current, "development", "a", { mode: "targeted", rules: RULES }, undefined),
  );
});
afterEach(() => parts.close());

const ask = (context: Context, address?: string) => facts.answer(parts.development, { context }, address);
const head = () => parts.store.feed.state(parts.development.id, "browser");
const change = (add: string[], remove: string[] = []) =>
  createMembers(parts.store).change({
    environmentId: parts.development.id,
    group: "beta",
    author: { by: "ada" },
    change: { add, remove },
    action: "group.members",
  });

test("the answer names what holds and what does not, at the head, and leaves out what is unknown", async () => {
  const context = { key: "ann", email: "ann@acme.example" };
  expect(await ask(context)).toEqual({
    generation: head().generation,
    revision: head().revision,
    contextHash: contextHash(context),
    true: [1, 4],
    false: [2],
  });
  expect(await ask({})).toMatchObject({ true: [], false: [] });
});

test("the address is the connection's, whatever the context says", async () => {
  const context = { client: { ip: "10.1.1.1" }, "client.ip": "10.1.1.1" };
  expect(await ask(context, "10.2.2.2")).toMatchObject({ true: [3], false: [] });
  expect(await ask(context, "192.0.2.1")).toMatchObject({ true: [], false: [3] });
  expect(await ask(context)).toMatchObject({ true: [], false: [] });
});

test("follows a list from member to member, moves factsAt, tells tags, and keeps numbers, also over a restart", async () => {
  const before = head();
  expect(before.factsAt).toBe(0);
  expect((await ask({ key: "bob" })).false).toContain(2);
  await change(["bob"]);
  expect((await ask({ key: "bob" })).true).toContain(2);
  expect(head().factsAt).toBe(head().revision);
  expect(parts.store.feed.commitsSince(parts.development.id, before.revision)?.[0]?.projections.browser).toEqual({
    digest: before.digest,
    put: [],
    remove: [],
    facts: { units: [unitTag("bob")] },
  });
  const { factsAt, digest } = head();
  parts = await parts.reopen();
  facts = createFacts({ store: parts.store, clock });
  expect([head().factsAt, head().digest]).toEqual([factsAt, digest]);
  expect((await ask({ key: "bob" })).true).toContain(2);
  await change([], ["bob"]);
  expect((await ask({ key: "bob" })).false).toContain(2);
});

test("a page that knows a newer revision is answered when it is here, or 503 after two seconds", async () => {
  const { generation, revision } = head();
  const waiting = facts.answer(parts.development, { context: { key: "bob" }, generation, at: revision + 1 }, undefined);
  await change(["bob"]);
  expect((await waiting).true).toContain(2);
  const late = facts.answer(parts.development, { context: {}, generation, at: revision + 9 }, undefined);
  const refused = expect(late).rejects.toMatchObject({ status: 503 });
  await turn();
  await clock.advance(2_000);
  await refused;
  await until(() => true);
});
