import { describe, expect, test } from "vitest";
import { createGroup } from "../groups/decide.ts";
import { applyEdits } from "../store/edit.ts";
import { findFlag, type ProjectModel } from "../store/model.ts";
import type { Current, Outcome } from "../store/outcome.ts";
import { after, currentOf, development, emptyProject } from "../store/test-project.ts";
import type { StoredPatch } from "./convert.ts";
import { configurationEtag, configure, createFlag, identityEtag, patchIdentity } from "./decide.ts";
import { setKilled } from "./kills.ts";
import { preview } from "./preview.ts";

const ON = { kind: "variant", variant: "on" } as const;
const HASH_KEY = "000102030405060708090a0b0c0d0e0f";

const create =
  (key: string, more: object = {}) =>
  (current: Current) =>
    createFlag(current, { key, ...more });
const save = (key: string, patch: StoredPatch, ifMatch?: string) => (current: Current) =>
  configure(current, "development", key, patch, ifMatch);
const rename = (from: string, to: string) => (current: Current) => patchIdentity(current, from, { key: to }, "*");
const kill = (key: string) => (current: Current) => setKilled(current, "development", key, { at: 1, by: "ann", reason: null });
const restore = (key: string) => (current: Current) => setKilled(current, "development", key, null);
const withFlags = (...keys: string[]) => after(emptyProject(), ...keys.map((key) => create(key)));
const decided = (project: ProjectModel, decide: (current: Current) => Outcome) => decide(currentOf(project));

function issuesOf(outcome: Outcome): string[] {
  return outcome.kind === "invalid" ? (outcome.issues ?? []).map(({ path, message }) => `${path}: ${message}`) : [];
}

function variantOf(project: ProjectModel, key: string, contextKey = "u1"): string | undefined {
  const answer = preview(development(project).states.server.entries, key, { key: contextKey }, 0);
  return answer.served ? answer.variant : undefined;
}

function flagIn(project: ProjectModel, key: string) {
  return findFlag(development(project), key) ?? expect.fail(`no flag ${key}`);
}

describe("createFlag", () => {
  test("makes the flag off in every environment and raises each by one revision", () => {
    const project = withFlags("checkout");
    expect(project.environments.map(({ revision }) => revision)).toEqual([1, 1]);
    for (const { flags } of project.environments)
      expect(flags.get("checkout")?.body).toMatchObject({ mode: "off", browser: false, salt: "checkout" });
  });

  test("refuses a key that is taken, and one that is an alias", () => {
    const project = after(withFlags("checkout"), rename("checkout", "pay"));
    expect(decided(project, create("pay"))).toMatchObject({ kind: "invalid", code: "FLAG_EXISTS" });
    expect(decided(project, create("checkout"))).toMatchObject({
      kind: "invalid",
      code: "FLAG_EXISTS",
      detail: expect.stringContaining('"pay"'),
    });
  });

  test("refuses a key that would turn off a flag which is on, by becoming its parent", () => {
    const project = after(withFlags("checkout:applepay"), save("checkout:applepay", { mode: "on" }));
    expect(issuesOf(decided(project, create("checkout")))).toEqual([
      'key: "checkout" would become the parent of "checkout:applepay" and could turn it off in development; opt "checkout:applepay" out of its parent first, or choose another key',
    ]);
    const optedOut = after(project, save("checkout:applepay", { detached: true }), create("checkout"));
    expect(variantOf(optedOut, "checkout:applepay")).toBe("on");
  });

  test("refuses a string flag without values for its variants", () => {
    expect(issuesOf(decided(emptyProject(), create("theme", { type: "string", values: { red: "r" }, off: "red", on: "blue" })))).toEqual([
      expect.stringContaining('"blue"'),
    ]);
    expect(decided(emptyProject(), create("theme", { type: "string", values: { red: 1, blue: "b" }, off: "red", on: "blue" })).kind).toBe(
      "invalid",
    );
    expect(decided(emptyProject(), create("theme", { values: { on: true, off: true } })).kind).toBe("invalid");
    expect(decided(emptyProject(), create("theme", { type: "string", values: { red: "r", blue: "b" }, off: "red", on: "blue" })).kind).toBe(
      "changed",
    );
  });
});

describe("configure", () => {
  test("raises the version and one environment only", () => {
    const project = after(withFlags("a"), save("a", { mode: "on" }));
    expect(project.environments.map(({ revision }) => revision)).toEqual([2, 1]);
    expect(flagIn(project, "a").version).toBe(2);
    expect(variantOf(project, "a")).toBe("on");
  });

  test("is unchanged when nothing would be different, and makes no version", () => {
    const project = after(withFlags("a"), save("a", { mode: "on" }));
    expect(decided(project, save("a", { mode: "on" })).kind).toBe("unchanged");
  });

  test("conflicts when the ETag is not the current one, and only then", () => {
    const project = withFlags("a");
    const etag = configurationEtag(development(project), flagIn(project, "a"));
    const changed = after(project, save("a", { mode: "on" }, etag));
    expect(decided(changed, save("a", { mode: "off" }, etag)).kind).toBe("conflict");
    expect(decided(changed, save("a", { mode: "off" }, `"x", ${configurationEtag(development(changed), flagIn(changed, "a"))}`)).kind).toBe(
      "changed",
    );
    expect(decided(changed, save("a", { mode: "off" }, "*")).kind).toBe("changed");
  });

  test("needs If-Match in production", () => {
    const outcome = configure(currentOf(withFlags("a")), "production", "a", { mode: "on" }, undefined);
    expect(outcome).toMatchObject({ kind: "invalid", code: "IF_MATCH_REQUIRED", detail: expect.stringContaining('"c') });
  });

  test.each<[string, StoredPatch, RegExp]>([
    ["an unknown group", { rules: [{ id: "r", when: { op: "group", group: "beta" }, serve: ON }] }, /rules\.0\.when: .*"beta"/],
    ["an unknown variant", { rules: [{ id: "r", serve: { kind: "variant", variant: "blue" } }] }, /rules\.0\.serve\.variant: .*"blue"/],
    [
      "two rules with one id",
      {
        rules: [
          { id: "r", serve: ON },
          { id: "r", serve: ON },
        ],
      },
      /rules\.1\.id/,
    ],
    [
      "weights that do not add up",
      { rules: [{ id: "r", serve: { kind: "split", weights: [{ variant: "on", weight: 99_000 }] } }] },
      /add up to 99000, expected 100000/,
    ],
    ["an unknown required flag", { requires: [{ flag: "nope", variants: ["on"] }] }, /requires\.0\.flag: .*"nope"/],
    ["a requirement of the off variant", { requires: [{ flag: "b", variants: ["off"] }] }, /requires\.0\.variants\.0: /],
    ["a circle", { requires: [{ flag: "b", variants: ["on"] }] }, /circle: "a" → "b" → "a"/],
    ["other values of a boolean flag", { values: { on: false, off: true } }, /values: a boolean flag/],
    ["conditions that are too deep", { rules: [{ id: "r", when: nested(9), serve: ON }] }, /at most 8/],
  ])("refuses %s", (_what, patch, message) => {
    const project = after(withFlags("a", "b"), save("b", { requires: [{ flag: "a", variants: ["on"] }] }));
    const outcome = decided(project, save("a", patch));
    expect(outcome).toMatchObject({ kind: "invalid", code: "CONFIGURATION_REFUSED" });
    expect(issuesOf(outcome).join("\n")).toMatch(message);
  });

  test("refuses what would break another flag, and names it", () => {
    const theme = { type: "string", values: { red: "r", blue: "b", green: "g" }, off: "red", on: "blue" };
    const project = after(
      emptyProject(),
      create("theme", theme),
      create("a"),
      save("a", { requires: [{ flag: "theme", variants: ["blue"] }] }),
    );
    expect(issuesOf(decided(project, save("theme", { off: "blue", on: "green" }))).join()).toContain(
      'flags.a.requires.0.variants.0: flag "a"',
    );
    expect(decided(project, save("theme", { values: { red: "r", green: "g" }, on: "green" })).kind).toBe("invalid");
    expect(decided(project, save("theme", { on: "green" })).kind).toBe("changed");
  });

  test("goes on beside a flag whose rows an older program saved and this one would refuse", () => {
    const project = after(withFlags("a", "b"), save("b", { requires: [{ flag: "a", variants: ["on"] }] }));
    const damaged = withBody(project, "b", {
      requires: [
        { flag: "a", variants: ["on"] },
        { flag: "lost", variants: ["on"] },
      ],
    });
    expect(decided(damaged, save("a", { mode: "on" })).kind).toBe("changed");
    expect(issuesOf(decided(damaged, save("b", { mode: "on" }))).join()).toContain('"lost"');
  });

  test("follows old keys in requirements and parents", () => {
    const project = after(
      withFlags("old", "a"),
      rename("old", "new"),
      save("a", { requires: [{ flag: "old", variants: ["on"] }], parent: "old" }),
    );
    expect(flagIn(project, "a").body).toMatchObject({ requires: [{ flag: "new", variants: ["on"] }], parent: "new" });
  });

  test("lets a required flag be archived", () => {
    const project = after(withFlags("a", "b"), save("a", { requires: [{ flag: "b", variants: ["on"] }] }));
    expect(decided(project, save("b", { archived: true })).kind).toBe("changed");
  });
});

describe("marking for browsers", () => {
  const group =
    (key: string, kind: "list" | "conditions" | "early-access", attribute = "plan") =>
    (current: Current) =>
      createGroup(
        current,
        "development",
        { key, kind, ...(kind === "conditions" && { when: { op: "in", attribute, values: ["x"] } }) },
        HASH_KEY,
      );
  const inGroup = (key: string): StoredPatch => ({ mode: "targeted", rules: [{ id: "r", when: { op: "group", group: key }, serve: ON }] });

  test("takes groups of every kind, and facts for what does not leave the server", () => {
    const project = after(
      withFlags("a"),
      group("pro", "conditions"),
      group("staff", "list"),
      group("beta", "early-access"),
      group("named", "conditions", "key"),
    );
    const seen = (patch: StoredPatch) => JSON.stringify(development(after(project, save("a", patch))).states.browser.entries.get("flag:a"));
    expect(seen({ browser: true, ...inGroup("pro") })).toContain('"attribute":"plan"');
    for (const key of ["staff", "beta", "named"])
      expect(seen({ browser: true, ...inGroup(key) })).toContain('"when":{"op":"fact","fact":1}');
    const byKey: StoredPatch = {
      browser: true,
      mode: "targeted",
      rules: [{ id: "r", when: { op: "in", attribute: "account.key", values: ["x"] }, serve: ON }],
    };
    expect(seen(byKey)).not.toContain("account");
  });

  test("needs the required flag marked first, and keeps it marked", () => {
    const project = after(withFlags("a", "b"), save("a", { requires: [{ flag: "b", variants: ["on"] }] }));
    expect(issuesOf(decided(project, save("a", { browser: true }))).join()).toMatch(/browser: it requires "b"/);
    const marked = after(project, save("b", { browser: true }), save("a", { browser: true }));
    expect(issuesOf(decided(marked, save("b", { browser: false }))).join()).toMatch(/flags\.a\.browser: flag "a": it requires "b"/);
    expect([...development(marked).states.browser.entries.keys()].sort()).toEqual(["flag:a", "flag:b"]);
  });

  test("needs the parent marked, so that a browser never serves more than the server", () => {
    const project = withFlags("checkout", "checkout:applepay");
    expect(issuesOf(decided(project, save("checkout:applepay", { browser: true }))).join()).toContain('its parent "checkout" is hidden');
    const alone = after(withFlags("checkout:applepay"), save("checkout:applepay", { browser: true }));
    expect(issuesOf(decided(alone, create("checkout"))).join()).toContain('flag "checkout:applepay": its parent "checkout" is hidden');
  });
});

describe("rename", () => {
  test("is refused when the new key is the parent that a flag names and that is not there, be it the flag's own", () => {
    const project = after(withFlags("a", "b"), save("a", { mode: "on", parent: "z" }), save("b", { mode: "on" }));
    expect(variantOf(project, "a")).toBe("on");
    for (const key of ["a", "b"]) {
      expect(issuesOf(decided(project, rename(key, "z")))).toEqual([
        'key: "z" would become the parent of "a" and could turn it off in development; opt "a" out of its parent first, or choose another key',
      ]);
    }
    expect(decided(project, create("z")).kind).toBe("changed");
  });

  test("keeps the old key as an alias in both projections, the salt and every answer", () => {
    const project = after(
      withFlags("a", "b"),
      save("a", { browser: true, mode: "targeted", rules: [{ id: "r", rollout: { to: 50_000 }, serve: ON }] }),
      save("b", { mode: "on", requires: [{ flag: "a", variants: ["on"] }] }),
    );
    const renamed = after(project, rename("a", "z"));
    for (const projection of ["server", "browser"] as const) {
      expect(development(renamed).states[projection].entries.get("alias:a")).toMatchObject({ flag: "z" });
      expect(development(renamed).states[projection].entries.has("flag:a")).toBe(false);
    }
    const people = Array.from({ length: 200 }, (_, i) => `u${i}`);
    const answers = (at: ProjectModel, key: string) => people.map((person) => variantOf(at, key, person));
    expect(answers(renamed, "z")).toEqual(answers(project, "a"));
    expect(answers(renamed, "a")).toEqual(answers(project, "a"));
    expect(answers(renamed, "b")).toEqual(answers(project, "b"));
    expect(flagIn(renamed, "b")).toMatchObject({ version: flagIn(project, "b").version, body: { requires: [{ flag: "z" }] } });
    expect(renamed.environments.map(({ revision }, i) => revision - (project.environments[i]?.revision ?? 0))).toEqual([1, 1]);
  });

  test("back to an old key swaps key and alias", () => {
    const project = after(withFlags("a"), rename("a", "b"), rename("b", "a"));
    expect(flagIn(project, "a").identity).toMatchObject({ key: "a", aliases: ["b"] });
    expect([...development(project).states.server.entries.keys()].sort()).toEqual(["alias:b", "flag:a"]);
    expect(development(project).states.server.entries.has("alias:a")).toBe(false);
  });

  test("keeps parent and children, whatever the keys say", () => {
    const family = after(withFlags("a", "a:b", "a:b:c"), save("a:b", { mode: "on" }), save("a:b:c", { mode: "inherit" }));
    const on = after(family, save("a", { mode: "on" }));
    for (const [from, to] of [
      ["a", "z"],
      ["a:b", "y"],
      ["a:b", "y:x"],
      ["a:b:c", "q"],
    ] as const) {
      for (const [before, expected] of [
        [family, "off"],
        [on, "on"],
      ] as const) {
        const renamed = after(before, rename(from, to));
        expect(variantOf(renamed, "a:b"), `${from} to ${to}`).toBe(expected);
        expect(variantOf(renamed, "a:b:c"), `${from} to ${to}`).toBe(expected);
      }
    }
  });

  test("refuses a key that would bring a new parent or new children", () => {
    const project = after(withFlags("p", "x", "q:child", "y"), save("x", { mode: "on" }), save("q:child", { mode: "on" }));
    expect(issuesOf(decided(project, rename("x", "p:x"))).join()).toContain('under "p"');
    expect(issuesOf(decided(project, rename("y", "q"))).join()).toContain('parent of "q:child"');
    // Its old key becomes its parent by colon, which would be itself.
    expect(issuesOf(decided(project, rename("x", "x:new"))).join()).toContain('under "x"');
    expect(issuesOf(decided(after(project, rename("x", "z")), rename("z", "x:new"))).join()).toContain('under "x"');
  });

  test("refuses a 51st old key, and still goes back to an old one", () => {
    const keys = Array.from({ length: 51 }, (_, i) => `k${i}`);
    const project = after(withFlags("k0"), ...keys.slice(1).map((key, i) => rename(`k${i}`, key)));
    expect(issuesOf(decided(project, rename("k50", "k51"))).join()).toContain("50 is the most");
    expect(decided(project, rename("k50", "k7")).kind).toBe("changed");
  });

  test("conflicts on the identity's ETag, which configuration writes leave alone", () => {
    const project = withFlags("a");
    const etag = identityEtag(flagIn(project, "a").identity);
    const changed = after(project, save("a", { mode: "on" }));
    expect(patchIdentity(currentOf(changed), "a", { name: "A" }, etag).kind).toBe("changed");
    const named = after(changed, (current) => patchIdentity(current, "a", { name: "A" }, etag));
    expect(patchIdentity(currentOf(named), "a", { name: "B" }, etag).kind).toBe("conflict");
    expect(patchIdentity(currentOf(named), "a", { name: "A", tags: [] }, "*").kind).toBe("unchanged");
  });
});

describe("kill and restore", () => {
  test("leave the configuration, its version and its ETag alone", () => {
    const project = after(withFlags("a"), save("a", { mode: "on" }));
    const etag = configurationEtag(development(project), flagIn(project, "a"));
    const killed = after(project, kill("a"));
    expect(variantOf(killed, "a")).toBe("off");
    expect(configurationEtag(development(killed), flagIn(killed, "a"))).toBe(etag);
    expect(decided(killed, kill("a")).kind).toBe("unchanged");
    const edited = after(killed, save("a", { mode: "off" }, etag), save("a", { mode: "on" }));
    expect(variantOf(edited, "a")).toBe("off");
    expect(variantOf(after(edited, restore("a")), "a")).toBe("on");
    expect(decided(project, restore("a")).kind).toBe("unchanged");
  });

  test("find the flag under its old key", () => {
    const project = after(withFlags("a"), rename("a", "b"), kill("a"));
    expect(flagIn(project, "b").killed).toMatchObject({ by: "ann" });
  });
});

/** As if these rows had been read from the database, past every check. */
function withBody(project: ProjectModel, key: string, body: StoredPatch): ProjectModel {
  const flag = flagIn(project, key);
  return applyEdits(project, [{ kind: "flag", environmentId: 1, flag: { ...flag, body: { ...flag.body, ...body } } }]).project;
}

function nested(depth: number): { op: "not"; of: ReturnType<typeof nested> } | { op: "exists"; attribute: string } {
  return depth <= 1 ? { op: "exists", attribute: "x" } : { op: "not", of: nested(depth - 1) };
}
