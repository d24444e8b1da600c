import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EffectAnswer, Explanation, Flag, Problem } from "../api-types.ts";
import { startTestServer, type TestServer } from "../http/test-server.ts";

const E = "/api/v1/projects/default/environments/development";
const ON = { kind: "variant", variant: "on" };
const OFF = { kind: "variant", variant: "off" };

let server: TestServer;
let cookie: string;
beforeAll(async () => {
  server = await startTestServer();
  cookie = await server.signIn();
  const when = { op: "endsWith", attribute: "email", values: ["@example.com"] };
  await ask("POST", `${E}/groups`, { key: "staff", kind: "conditions", name: "The staff", when });
  await ask("POST", "/api/v1/projects/default/flags", { key: "checkout" });
  await configure("checkout", {
    mode: "targeted",
    rules: [
      { id: "banks", name: "Not for banks", when: { op: "in", attribute: "kind", values: ["bank"] }, serve: OFF },
      { id: "staff", when: { op: "group", group: "staff" }, serve: ON },
      { id: "some", rollout: { percentage: 10 }, serve: ON },
    ],
  });
});
afterAll(() => server.close());

async function ask<T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T }> {
  const headers = { origin: server.url, "x-signalbox-csrf": "1", "content-type": "application/json", "if-match": "*", cookie };
  const answer = await fetch(server.url + path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
  return { status: answer.status, body: (await answer.json()) as T };
}

async function configure(flag: string, configuration: object): Promise<void> {
  expect((await ask("PATCH", `${E}/flags/${flag}/configuration`, configuration)).status).toBe(200);
}

const explain = (body: object) => ask<Explanation>("POST", `${E}/explain`, body);
const effect = (body: object) => ask<EffectAnswer>("POST", `${E}/effect`, body);
const refusal = async (answer: Promise<{ status: number; body: unknown }>) => (await answer) as { status: number; body: Problem };

const rulesOf = async (flag: string) => (await ask<Flag>("GET", `${E}/flags/${flag}`)).body.configuration.rules;
async function withPercentage(percentage: number) {
  const rules = await rulesOf("checkout");
  return { rules: rules.map((rule) => (rule.id === "some" ? { ...rule, rollout: { percentage } } : rule)) };
}

describe("explain", () => {
  it("tells value, rule, conditions with the attribute's value and verdict, and the place that it speaks of", async () => {
    const { status, body } = await explain({ flag: "checkout", context: { key: "u1", email: "ana@example.com", kind: "shop" } });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      flag: "checkout",
      environment: "development",
      revision: (await ask<Flag>("GET", `${E}/flags/checkout`)).body.revision,
      generation: expect.any(Number),
      evaluation: { served: true, variant: "on", value: true, reason: { kind: "TARGETING_MATCH", ruleId: "staff" } },
      needs: [],
    });
    expect(body.rules.map(({ id, reached, applies, denial }) => [id, reached, applies, denial])).toEqual([
      ["banks", true, false, true],
      ["staff", true, true, false],
      ["some", false, expect.any(Boolean), false],
    ]);
    expect(body.sentence).toBe('on: rule "The staff" applies, because in The staff.');
    expect(body.rules[1]?.when).toMatchObject({
      words: "in The staff",
      verdict: "true",
      of: [{ attribute: "email", value: "ana@example.com", verdict: "true" }],
    });
    expect(body.rules[2]?.rollout).toMatchObject({ by: "key", unit: "u1", from: 0, to: 10_000, bucket: expect.any(Number) });
  });

  it("says why nothing applied", async () => {
    const { body } = await explain({ flag: "checkout", context: {} });
    expect(body.evaluation).toMatchObject({ variant: "off" });
    expect(body.rules[0]).toMatchObject({ applies: true, when: { verdict: "unknown" } });
    const configuration = { rules: (await rulesOf("checkout")).slice(1) };
    expect((await explain({ flag: "checkout", context: {}, configuration })).body.sentence).toContain("no key in the context");
  });

  it("explains unsaved edits, and refuses what saving refuses", async () => {
    const edited = await explain({ flag: "checkout", context: { key: "u1" }, configuration: { mode: "on" } });
    expect(edited.body).toMatchObject({ evaluation: { variant: "on" }, sentence: "on: the flag is on for everyone." });
    const configuration = { rules: [{ id: "r", when: { op: "group", group: "nobody" }, serve: ON }] };
    const saving = await refusal(ask("PATCH", `${E}/flags/checkout/configuration`, configuration));
    const looking = await refusal(explain({ flag: "checkout", context: {}, configuration }));
    expect(looking.status).toBe(422);
    expect(looking.body).toEqual({ ...saving.body, requestId: looking.body.requestId });
    const pattern = { rules: [{ when: { op: "matches", attribute: "a", values: ["("] }, serve: ON }] };
    expect((await refusal(explain({ flag: "checkout", context: {}, configuration: pattern }))).body.code).toBe("VALIDATION_FAILED");
  });

  it("answers 404 for a flag that there is not, and follows an old key", async () => {
    expect((await refusal(explain({ flag: "nope", context: {} }))).body).toMatchObject({ code: "FLAG_NOT_FOUND" });
    await ask("POST", "/api/v1/projects/default/flags", { key: "before" });
    await ask("PATCH", "/api/v1/projects/default/flags/before", { key: "afterwards" });
    expect((await explain({ flag: "before", context: {} })).body.flag).toBe("afterwards");
  });
});

describe("effect", () => {
  it("estimates by made-up users who gains, and is exact about nobody", async () => {
    const { status, body } = await effect({ flag: "checkout", configuration: await withPercentage(25) });
    expect(status).toBe(200);
    expect(body).toMatchObject({ total: 10_000, asked: 10_000, madeUp: true, killed: false, counts: { loses: 0, changes: 0 } });
    const { gains, keeps, staysOut } = body.counts;
    expect(gains + keeps + staysOut).toBe(10_000);
    expect(gains).toBeGreaterThan(1_350);
    expect(gains).toBeLessThan(1_650);
    expect(body.sentence).toMatch(
      /^Of 10,000 made-up users without attributes, whom "Not for banks" does not concern, about 1,[3-6]00 gain it, none lose it\.$/,
    );
    expect(body.setAside).toEqual(["Not for banks"]);
    expect(body.examples.gains).toHaveLength(20);
    expect(body.examples.gains[0]).toMatchObject({ before: "off", after: "on", key: expect.stringMatching(/^sample-/) });
    expect(body.examples.gains[0]?.sentence).toMatch(/^on: rule .* falls on .* inside the first 25 %\.$/);
    const lower = await effect({ flag: "checkout", configuration: await withPercentage(1), sample: 1_000 });
    expect(lower.body).toMatchObject({ total: 1_000, counts: { gains: 0 } });
    expect(lower.body.examples.loses[0]?.sentence).toMatch(/^off: no rule applies; .* outside the first 1 %\.$/);
  });

  it("keeps a denial that holds for everybody, and sets one aside also where the flag is only now targeted", async () => {
    const over = { id: "over", name: "Over", when: { op: "date", is: ">=", value: "2020-01-01" }, serve: OFF };
    const some = (percentage: number) => ({ id: "some", rollout: { percentage }, serve: ON });
    await ask("POST", "/api/v1/projects/default/flags", { key: "season" });
    await configure("season", { mode: "targeted", rules: [over, some(10)] });
    const ended = (await effect({ flag: "season", configuration: { rules: [over, some(25)] } })).body;
    expect([ended.setAside, ended.counts.gains, ended.counts.staysOut]).toEqual([[], 0, 10_000]);

    const banks = { id: "banks", name: "Not for banks", when: { op: "in", attribute: "kind", values: ["bank"] }, serve: OFF };
    await ask("POST", "/api/v1/projects/default/flags", { key: "soon" });
    await configure("soon", { mode: "off", rules: [banks, some(50)] });
    const begun = (await effect({ flag: "soon", configuration: { mode: "targeted" } })).body;
    expect(begun.setAside).toEqual(["Not for banks"]);
    expect(begun.counts.gains).toBeGreaterThan(4_000);
  });

  it("makes up the units that required flags hash", async () => {
    await ask("POST", "/api/v1/projects/default/flags", { key: "needed" });
    await configure("needed", { mode: "targeted", rules: [{ id: "most", rollout: { percentage: 99, by: "account.key" }, serve: ON }] });
    await ask("POST", "/api/v1/projects/default/flags", { key: "needing" });
    const configuration = { mode: "on", requires: [{ flag: "needed", variants: ["on"] }] };
    expect((await effect({ flag: "needing", configuration, sample: 1_000 })).body.counts.gains).toBeGreaterThan(900);
  });

  it("compares the contexts given, in their order", async () => {
    const contexts = [{ key: "u1", email: "ana@example.com", kind: "shop" }, { key: 7 }, {}];
    const configuration = { rules: [{ id: "staff", when: { op: "exists", attribute: "key" }, serve: ON }] };
    const { body } = await effect({ flag: "checkout", configuration, contexts });
    expect(body).toMatchObject({ total: 3, madeUp: false, counts: { gains: 1, loses: 0, changes: 0, keeps: 1, staysOut: 1 } });
    expect(body.sentence).toBe("Of 3 contexts, 1 gains it, none lose it.");
    expect(body.examples).toMatchObject({
      gains: [{ index: 1, key: "7", before: "off", after: "on", sentence: expect.stringContaining("key is known") }],
      keeps: [{ index: 0, key: "u1" }],
      staysOut: [{ index: 2, before: "off", after: "off" }],
    });
    expect(body.examples.staysOut[0]).not.toHaveProperty("key");
  });

  it("takes a denial that comes or goes as it is, also for made-up users", async () => {
    const rules = await rulesOf("checkout");
    const body = { flag: "checkout", configuration: { rules: rules.filter(({ id }) => id !== "banks") } };
    const { counts, setAside } = (await effect(body)).body;
    expect(setAside).toEqual([]);
    expect(counts.gains).toBeGreaterThan(850);
  });

  it("tells a change of variant, and units of other attributes are made up too", async () => {
    const values = { plain: "p", red: "r", blue: "b" };
    await ask("POST", "/api/v1/projects/default/flags", { key: "theme", type: "string", values, off: "plain", on: "red" });
    const rules = [{ id: "r", rollout: { percentage: 50, by: "account.key" }, serve: { kind: "variant", variant: "red" } }];
    await configure("theme", { mode: "targeted", rules });
    const blue = rules.map((rule) => ({ ...rule, serve: { kind: "variant", variant: "blue" } }));
    const { body } = await effect({ flag: "theme", configuration: { rules: blue } });
    expect(body.counts).toMatchObject({ gains: 0, loses: 0 });
    expect(body.counts.changes).toBeGreaterThan(4_500);
    expect(body.examples.changes[0]).toMatchObject({ before: "red", after: "blue" });
    expect(body.sentence).toMatch(
      /^Of 10,000 made-up users, each with account\.key of their own and nothing else, none gain it, none lose it, about [45],\d00 get another variant\.$/,
    );
  });

  it("of a killed flag is what happens once it is restored", async () => {
    await ask("POST", "/api/v1/projects/default/flags", { key: "killed" });
    await ask("POST", `${E}/flags/killed/kill`, {});
    const { body } = await effect({ flag: "killed", configuration: { mode: "on" } });
    expect(body).toMatchObject({ killed: true, counts: { gains: 10_000 } });
    expect(body.sentence).toBe("Once it is restored, of 10,000 made-up users without attributes, all gain it, none lose it.");
    expect((await ask<Flag>("GET", `${E}/flags/killed`)).body).toMatchObject({ state: { word: "KILLED" }, configuration: { mode: "off" } });
  });

  it("draws a random percentage once for both versions and for the explanation", async () => {
    await ask("POST", "/api/v1/projects/default/flags", { key: "drawn" });
    const rule = (percentage: number) => ({ rules: [{ id: "r", rollout: { percentage, random: true }, serve: ON }] });
    await configure("drawn", { mode: "targeted", ...rule(10) });
    const { counts, examples } = (await effect({ flag: "drawn", configuration: rule(60) })).body;
    expect(counts.loses).toBe(0);
    expect(counts.gains).toBeGreaterThan(4_500);
    for (const { sentence } of examples.gains) expect(sentence).toContain("on: rule");
  });

  it("takes 10,000 contexts of 700 bytes, which no other route does", async () => {
    const contexts = Array.from({ length: 10_000 }, (_, index) => ({ key: `user-${index}`, about: "x".repeat(650) }));
    const { status, body } = await effect({ flag: "checkout", configuration: { mode: "on" }, contexts });
    expect([status, body.total]).toEqual([200, 10_000]);
  });

  it.each<[string, object, number, RegExp]>([
    ["too many contexts", { configuration: {}, contexts: Array(10_001).fill({}) }, 400, /there are 10001 contexts, the most is 10000/],
    ["no context", { configuration: {}, contexts: [] }, 400, /the list of contexts is empty/],
    ["a sample that says nothing", { configuration: {}, sample: 10 }, 400, /the sample is 10, the least is 100/],
    ["too large a sample", { configuration: {}, sample: 20_000 }, 400, /the sample is 20000, the most is 10000/],
    ["no edits", {}, 400, /configuration/],
    ["a context that is none", { configuration: {}, contexts: ["ana"] }, 400, /contexts\.0/],
    ["edits that cannot be saved", { configuration: { on: "blue" } }, 422, /"blue"/],
  ])("refuses %s", async (_what, body, status, detail) => {
    const answer = await refusal(effect({ flag: "checkout", ...body }));
    expect(answer.status).toBe(status);
    expect(answer.body.detail).toMatch(detail);
  });

  it("changes nothing", async () => {
    const before = (await ask<Flag>("GET", `${E}/flags/checkout`)).body;
    await effect({ flag: "checkout", configuration: { mode: "on" } });
    await explain({ flag: "checkout", context: {}, configuration: { mode: "on" } });
    expect((await ask<Flag>("GET", `${E}/flags/checkout`)).body).toEqual(before);
  });

  // The last: the server closes connections on which it has not read the body.
  it("is refused when the body is larger still, as is any other route above 1 MiB", async () => {
    const large = { flag: "checkout", context: { about: "x".repeat(1_100_000) } };
    expect((await refusal(explain(large))).body).toMatchObject({ code: "BODY_TOO_LARGE", detail: expect.stringContaining("1 MiB") });
    const larger = { flag: "checkout", configuration: {}, contexts: [{ about: "x".repeat(8_400_000) }] };
    expect((await refusal(effect(larger))).body).toMatchObject({ code: "BODY_TOO_LARGE", detail: expect.stringContaining("8 MiB") });
  });
});
