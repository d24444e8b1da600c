import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OpenAPIHono } from "@hono/zod-openapi";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import type { Problem, ProjectImported } from "../api-types.ts";
import type { Grant } from "../auth/permissions.ts";
import { flagRoutes } from "../flags/routes.ts";
import { createLists } from "../groups/lists.ts";
import { createMembers } from "../groups/members.ts";
import { groupRoutes } from "../groups/routes.ts";
import type { ApiEnv } from "../http/route.ts";
import { callerWith } from "../http/test-caller.ts";
import { openStore, type Store } from "../store/store.ts";
import { NO_USAGE } from "../store/test-project.ts";
import type { FlagDocument, GroupDocument } from "./document.ts";
import { transferRoutes } from "./routes.ts";

const P = "/api/v1/projects/default";
const DEV = `${P}/environments/development`;
const ON = { kind: "variant", variant: "on" } as const;

const opened: { store: Store; directory: string }[] = [];
afterAll(async () => {
  for (const { store, directory } of opened) {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
});

/** A project of its own, with the two environments of every new one. */
async function empty(grants?: readonly Grant[], name = "ann") {
  const directory = mkdtempSync(join(tmpdir(), "signalbox-import-"));
  const store = await openStore({ directory });
  opened.push({ store, directory });
  return { store, ...clientOf(store, grants, name) };
}

function clientOf(store: Store, grants?: readonly Grant[], name = "ann") {
  const app = new OpenAPIHono<ApiEnv>();
  app.use(callerWith(store, name, grants));
  app.route("/", flagRoutes({ store, usage: NO_USAGE }));
  app.route("/", groupRoutes({ store, members: createMembers(store), lists: createLists(store) }));
  app.route("/", transferRoutes({ store }));
  const send = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const text = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
    const length = String(Buffer.byteLength(text ?? ""));
    const typed = text === undefined ? headers : { "content-type": "application/json", "content-length": length, ...headers };
    return app.request(path, { method, headers: typed, ...(text !== undefined && { body: text }) });
  };
  return {
    send,
    file: async (query = "") => (await send("GET", `${P}/export${query}`)).text(),
    document: async (query = "") => JSON.parse(await (await send("GET", `${P}/export${query}`)).text()) as Document,
    take: async (document: unknown, query = "") => {
      const answer = await send("POST", `${P}/import${query}`, document);
      return { status: answer.status, body: (await answer.json()) as ProjectImported & Problem };
    },
    revisions: () => store.project("default")?.environments.map(({ revision }) => revision),
  };
}

interface Document {
  format: string;
  version: number;
  members: string;
  project: { key: string; name: string };
  environments: { key: string; name: string; color: string; production: boolean; settings: object; groups: GroupDocument[] }[];
  flags: FlagDocument[];
}

const settings = { secureMode: false, privateAttributes: [], sampleContexts: false };
function documentOf(flags: FlagDocument[], groups: GroupDocument[] = []): Document {
  const environment = (key: string, color: string) => ({
    key,
    name: key[0]?.toUpperCase() + key.slice(1),
    color,
    production: key === "production",
    settings,
    groups,
  });
  return {
    format: "signalbox-project",
    version: 1,
    members: "clear",
    project: { key: "default", name: "Default" },
    environments: [environment("development", "green"), environment("production", "red")],
    flags,
  };
}
function flagOf(key: string, configuration: object = {}, more: Partial<FlagDocument> = {}): FlagDocument {
  const off = {
    mode: "off",
    off: "off",
    on: "on",
    values: { on: true, off: false },
    rules: [],
    requires: [],
    parent: null,
    detached: false,
    browser: false,
    archived: false,
    salt: key,
  };
  const told = {
    aliases: [],
    name: key,
    description: "",
    type: "boolean",
    tags: [],
    owner: null,
    kind: "release",
    links: [],
    expectedDays: null,
  };
  return { key, ...told, configurations: { development: { ...off, ...configuration }, production: off }, ...more } as FlagDocument;
}
const groupOf = (key: string, kind: GroupDocument["kind"], more: Partial<GroupDocument> = {}): GroupDocument => ({
  key,
  kind,
  name: key,
  description: "",
  by: "key",
  when: null,
  ...more,
});

describe("a project as a file", () => {
  const text = fc.constantFrom("", "a", "é", "=1", 'say "hi"', "line\nend");
  const key = fc.constantFrom("ann", "bob", "4711", "=1+1", "é", "a b");
  const rule = fc.record({
    id: fc.constantFrom("r1", "r2", "r3"),
    name: fc.constantFrom("", "Staff"),
    when: fc.constantFrom(
      undefined,
      { op: "group", group: "list" },
      {
        op: "all",
        of: [
          { op: "group", group: "pro" },
          { op: "not", of: { op: "exists", attribute: "x" } },
        ],
      },
      { op: "matches", attribute: "email", values: ["@acme\\.com$"] },
      { op: "date", is: ">=", value: "2026-12-01T09:30", zone: "Europe/Zurich" },
      { op: "in", attribute: "n", values: [1, true, "1"], ignoreCase: true },
    ),
    rollout: fc.constantFrom(
      undefined,
      { percentage: 12.345, from: 3, by: "account.key" },
      { percentage: 1, over: { kind: "steps", points: [{ at: "2026-12-01T09:00:00+01:00", percentage: 10 }] } },
    ),
    serve: fc.constantFrom(ON, {
      kind: "split",
      weights: [
        { variant: "on", percentage: 33.333 },
        { variant: "off", percentage: 66.667 },
      ],
    }),
  });
  const configuration = fc.record({
    mode: fc.constantFrom("off", "targeted", "on", "inherit"),
    rules: fc.uniqueArray(rule, { selector: ({ id }) => id, maxLength: 3 }),
    salt: fc.constantFrom("salt", "f0"),
    archived: fc.boolean(),
    detached: fc.boolean(),
    killed: fc.constantFrom(undefined, { reason: null }, { reason: "INC-7" }),
  });
  const project = fc
    .record({
      flags: fc.array(fc.record({ configuration, name: text, tags: fc.uniqueArray(fc.constantFrom("a", "b")), alias: fc.boolean() }), {
        maxLength: 4,
      }),
      members: fc.uniqueArray(key),
      left: fc.uniqueArray(key),
      secureMode: fc.boolean(),
    })
    .map(({ flags, members, left, secureMode }) => {
      const early = { members: members.slice(0, 2), left: left.filter((unit) => !members.includes(unit)) };
      const groups = [
        groupOf("list", "list", { members, by: "account.key" }),
        groupOf("pro", "conditions", { when: { op: "in", attribute: "plan", values: ["pro"] } }),
        groupOf("beta", "early-access", early),
      ];
      const document = documentOf(
        flags.map(({ configuration: own, name, tags, alias }, index) => {
          const requires = index > 0 ? [{ flag: "f0", variants: ["on"] }] : [];
          const more = {
            name,
            tags,
            aliases: alias ? [`old-${index}`] : [],
            links: [{ title: "Ticket", url: "https://example.com/1" }],
            expectedDays: 30,
          };
          return flagOf(`f${index}`, { ...own, requires }, more);
        }),
        groups,
      );
      return {
        ...document,
        environments: document.environments.map((each) => ({
          ...each,
          settings: { ...settings, secureMode, privateAttributes: ["b", "a"] },
        })),
      };
    });

  test("exported, imported into an empty project and exported again has the same bytes; its own export changes nothing", async () => {
    await fc.assert(
      fc.asyncProperty(project, async (document) => {
        const [first, second] = [await empty(), await empty(undefined, "bob")];
        expect((await first.take(document)).body).toMatchObject({ refusals: [] });
        for (const members of ["none", "clear"]) {
          const file = await first.file(`?members=${members}`);
          const before = first.revisions();
          const own = await first.take(file);
          expect(own).toMatchObject({ status: 200, body: { changed: false, changes: [], notes: [] } });
          expect(first.revisions()).toEqual(before);
          if (members !== "clear") continue;
          expect((await second.take(file, "?mode=replace")).body.refusals).toEqual([]);
          expect(await second.file("?members=clear")).toBe(file);
        }
      }),
      { numRuns: 12 },
    );
  }, 120_000);

  test("has sorted keys, no ids, no times and nobody who did something, and is the same for the same state", async () => {
    const { file, take } = await empty();
    await take(documentOf([flagOf("b"), flagOf("a", { killed: { reason: "x" } })], [groupOf("list", "list", { members: ["zoe", "ann"] })]));
    const text = await file("?members=clear");
    expect(text.startsWith('{\n  "environments": [\n    {\n      "color": "green",\n      "groups": [')).toBe(true);
    expect(text.endsWith('"version": 1\n}\n')).toBe(true);
    expect(text).not.toMatch(/"(id|version|etag|hashKey|createdAt|updatedAt|createdBy|updatedBy|at|by_)":(?! 1\n)/);
    expect(text.indexOf('"a"')).toBeLessThan(text.indexOf('"b"'));
    expect(JSON.parse(text).environments[0].groups[0].members).toEqual(["ann", "zoe"]);
    expect(await file("?members=clear")).toBe(text);
    expect(await file("?members=hashes")).toMatch(/"hashes": \[\s+"[0-9a-f]{16}",/);
    expect(await file()).not.toMatch(/"members": \[|ann|hashKey/);
  });
});

describe("an import", () => {
  test("dry says in words what it would do, and does just that afterwards, as one revision for each environment", async () => {
    const { take, send, revisions, document } = await empty();
    await take(documentOf([flagOf("old"), flagOf("kept")]));
    const before = revisions();
    const changed = documentOf(
      [
        flagOf("old", { mode: "on" }, { owner: "web" }),
        flagOf("new", { mode: "targeted", rules: [{ id: "r", rollout: { percentage: 10 }, serve: ON }] }),
      ],
      [groupOf("vips", "list", { members: ["ann", "bob"] })],
    );
    const dry = await take(changed, "?dryRun=true");
    expect(revisions()).toEqual(before);
    expect(dry.body).toMatchObject({
      dryRun: true,
      changed: true,
      refusals: [],
      totals: { flags: { created: 1, changed: 2 }, groups: { created: 2 } },
    });
    expect(dry.body.changes).toContainEqual(
      expect.objectContaining({
        key: "old",
        environment: "development",
        differences: [expect.objectContaining({ what: "Who gets it", from: "Nobody", to: "Everybody" })],
      }),
    );
    expect(dry.body.changes).toContainEqual(
      expect.objectContaining({ what: "created", kind: "group", key: "vips", members: { coming: 2, going: 0 } }),
    );
    const done = await take(changed, "?reason=move");
    expect(done.body.changes).toEqual(dry.body.changes);
    expect(revisions()).toEqual(before?.map((revision) => revision + 1));
    expect((await document()).flags.map(({ key }) => key)).toEqual(["kept", "new", "old"]);
    expect((await (await send("GET", `${DEV}/flags/old`)).json()) as object).toMatchObject({ owner: "web", state: { word: "ON" } });
  });

  test("replacing archives flags and deletes groups that the file does not name; merging leaves them", async () => {
    const { take, document, revisions } = await empty();
    await take(documentOf([flagOf("a"), flagOf("b", { mode: "on" })], [groupOf("g", "list"), groupOf("h", "list", { members: ["ann"] })]));
    const less = documentOf([flagOf("a")], [groupOf("g", "list", { members: [] })]);
    expect((await take(less)).body.changed).toBe(false);
    const replaced = await take(less, "?mode=replace");
    expect(replaced.body.totals).toMatchObject({ flags: { archived: 2 }, groups: { deleted: 2 } });
    const now = await document("?members=clear");
    expect(
      now.flags.map(({ key, configurations }) => [key, configurations.development?.archived, configurations.development?.mode]),
    ).toEqual([
      ["a", false, "off"],
      ["b", true, "on"],
    ]);
    expect(now.environments[0]?.groups.map(({ key }) => key)).toEqual(["g"]);
    const before = revisions();
    expect((await take(less, "?mode=replace")).body.changed).toBe(false);
    expect(revisions()).toEqual(before);
  });

  test("takes members over: merging adds, replacing sets; who has left by themselves stays out", async () => {
    const { take, document } = await empty();
    const groups = (members: string[], left: string[] = []) => [groupOf("beta", "early-access", { members, left })];
    await take(documentOf([], groups(["ann", "bob"], ["cy"])));
    await take(documentOf([], groups(["dan"], ["bob"])));
    expect((await document("?members=clear")).environments[0]?.groups[0]).toMatchObject({ members: ["ann", "dan"], left: ["bob", "cy"] });
    await take(documentOf([], groups(["eve"])), "?mode=replace");
    expect((await document("?members=clear")).environments[0]?.groups[0]).toMatchObject({ members: ["eve"], left: ["bob", "cy"] });
    const hashes = await document("?members=hashes");
    const told = await take({ ...hashes, members: "hashes" });
    expect(told.body).toMatchObject({ changed: false });
    expect(told.body.notes[0]).toMatchObject({ pointer: "/environments/0/groups/0/hashes" });
  });

  test("neither kills nor restores what is there, and makes a flag killed that is killed in the file", async () => {
    const { take, send } = await empty();
    await take(documentOf([flagOf("there"), flagOf("stopped")]));
    await send("POST", `${DEV}/flags/stopped/kill`, {});
    const told = await take(
      documentOf([
        flagOf("there", { mode: "on", killed: { reason: "x" } }),
        flagOf("stopped", { mode: "on" }),
        flagOf("new", { mode: "on", killed: { reason: "x" } }),
      ]),
    );
    expect(told.body.notes).toEqual([
      { pointer: "/flags/0/configurations/development/killed", message: expect.stringContaining("stays as it is") },
    ]);
    const word = async (key: string) =>
      ((await (await send("GET", `${DEV}/flags/${key}`)).json()) as { state: { word: string } }).state.word;
    expect([await word("there"), await word("stopped"), await word("new")]).toEqual(["ON", "KILLED", "KILLED"]);
  });

  test("tells every refusal with its place in the file, and changes nothing", async () => {
    const { take, revisions } = await empty();
    const blue = { ...flagOf("text").configurations.production, off: "a", on: "a", values: { a: "x" } };
    const text = flagOf(
      "text",
      {},
      {
        type: "string",
        configurations: { development: blue, production: blue } as FlagDocument["configurations"],
      },
    );
    expect((await take(documentOf([text, flagOf("was")]))).status).toBe(200);
    expect((await take(documentOf([flagOf("now", {}, { aliases: ["once"] })]))).status).toBe(200);
    const before = revisions();
    const { environments, ...rest } = documentOf([
      flagOf("text"),
      flagOf("once"),
      flagOf("twice"),
      flagOf("twice"),
      flagOf("uses", { mode: "targeted", rules: [{ id: "r", when: { op: "group", group: "none" }, serve: ON }] }),
      flagOf("pattern", { rules: [{ id: "r", when: { op: "matches", attribute: "a", values: ["("] }, serve: ON }] }),
      flagOf("bad key!"),
      flagOf("odd", { rules: [{ id: "r", rollout: { percentage: 101 }, serve: ON }] }),
      flagOf("where", {}, { configurations: { staging: flagOf("x").configurations.production } as FlagDocument["configurations"] }),
    ]);
    const file = {
      ...rest,
      environments: [...environments, { ...environments[0], key: "staging" }].map((each, index) => ({
        ...each,
        groups: index === 0 ? [groupOf("g", "conditions")] : [],
      })),
    };
    const dry = await take(file, "?dryRun=true");
    const pointers = dry.body.refusals.map(({ pointer }) => pointer);
    expect(pointers).toEqual(expect.arrayContaining(["/flags/6/key", "/flags/7/configurations/development/rules/0/rollout/percentage"]));
    const mended = { ...file, flags: file.flags.filter((_, index) => index !== 6 && index !== 7) };
    const told = await take(mended, "?dryRun=true");
    expect(told.body.refusals.map(({ pointer }) => pointer)).toEqual([
      "/environments/2/key",
      "/flags/0/type",
      "/flags/1/key",
      "/flags/3/key",
      "/flags/5/configurations/development/rules/0/when/values",
    ]);
    const last = {
      ...mended,
      environments: mended.environments.slice(0, 2),
      flags: [mended.flags[4], flagOf("child"), { ...flagOf("alone"), requires: 1 }],
    };
    expect((await take(last)).body.issues?.map(({ path }) => path)).toEqual(["/flags/2/requires"]);
    const rules = await take({ ...last, flags: last.flags.slice(0, 2) });
    expect([rules.status, rules.body.code]).toEqual([422, "IMPORT_REFUSED"]);
    expect(rules.body.issues).toEqual([
      { path: "/environments/0/groups/0/when", message: expect.stringContaining('needs "when"') },
      { path: "/flags/0/configurations/development/rules/0/when", message: expect.stringContaining('"none"') },
    ]);
    expect(revisions()).toEqual(before);
  });

  test("refuses what would change flags that the file does not name", async () => {
    const { take } = await empty();
    await take(
      documentOf(
        [flagOf("checkout:pay", { mode: "on" }), flagOf("uses", { rules: [{ id: "r", when: { op: "group", group: "g" }, serve: ON }] })],
        [groupOf("g", "list")],
      ),
    );
    const adopted = await take(documentOf([flagOf("checkout")], [groupOf("g", "list")]));
    expect(adopted.body.issues).toEqual([
      { path: "/flags/0/key", message: expect.stringContaining('would become the parent of "checkout:pay"') },
    ]);
    const gone = await take(documentOf([flagOf("checkout:pay")]), "?mode=replace");
    expect(gone.body.issues?.[0]?.message).toContain(
      'the group "g" of development is not in the file and would go, but flag "uses" uses it',
    );
  });

  test("asks before it gives the key of a deleted flag again", async () => {
    const { take, send } = await empty();
    await take(documentOf([flagOf("gone", { archived: true })]));
    const deleted = await send("DELETE", `${P}/flags/gone`, { confirm: "gone" }, { "if-match": "*" });
    expect(deleted.status).toBe(204);
    const refused = await take(documentOf([flagOf("gone")]));
    expect(refused.body.issues).toEqual([{ path: "/flags/0/key", message: expect.stringContaining("import with reuse=true") }]);
    expect((await take(documentOf([flagOf("gone")]), "?reuse=true")).body.changed).toBe(true);
  });

  test.each([
    ["no JSON", "{", 400, "MALFORMED_JSON"],
    ["another format", { format: "other" }, 422, "IMPORT_REFUSED"],
    ["a newer version", { ...documentOf([]), version: 2 }, 422, "IMPORT_REFUSED"],
    ["a list", [], 422, "IMPORT_REFUSED"],
  ])("refuses %s", async (_what, file, status, code) => {
    const { take } = await empty();
    const answer = await take(file);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
  });

  test("needs the right to edit in each environment that it changes, and to administer for settings and clear members", async () => {
    const { store, send, take } = await empty();
    await take(documentOf([flagOf("a")]));
    const [development, production] = store.project("default")?.environments.map(({ info }) => info.id) ?? [];
    const grant = (role: Grant["role"], environmentId: number | undefined | null): Grant => ({
      role,
      projectId: 1,
      environmentId: environmentId ?? null,
    });
    const editor = clientOf(store, [grant("editor", null)]);
    const code = async (client: ReturnType<typeof clientOf>, document: Document, query = "") =>
      (await client.take(document, query)).body.code;
    expect(await code(editor, documentOf([flagOf("a", { mode: "on" }), flagOf("b", { mode: "on" })]))).toBeUndefined();
    const off = flagOf("x").configurations.production;
    const inProduction = flagOf(
      "a",
      { mode: "on" },
      { configurations: { production: { ...off, mode: "on" } } as FlagDocument["configurations"] },
    );
    expect(await code(editor, documentOf([inProduction]), "?dryRun=true")).toBe("FORBIDDEN");
    const withSettings = documentOf([]);
    withSettings.environments[0] = {
      ...withSettings.environments[0],
      settings: { ...settings, secureMode: true },
    } as Document["environments"][number];
    expect(await code(editor, withSettings)).toBe("FORBIDDEN");
    // Whoever sees one environment gets that one, and the other is none to them.
    const half = clientOf(store, [grant("viewer", development)]);
    expect((await half.document()).environments.map(({ key }) => key)).toEqual(["development"]);
    expect((await half.take(documentOf([]), "?dryRun=true")).body.refusals).toEqual([
      { pointer: "/environments/1/key", message: expect.stringContaining('no environment "production"') },
    ]);
    expect((await clientOf(store, [grant("releaser", null)]).send("GET", `${P}/export?members=clear`)).status).toBe(403);
    expect((await send("GET", `${P}/export?members=clear`)).status).toBe(200);
    expect(production).toBeDefined();
  });

  test("is planned anew when somebody else writes meanwhile, and loses nothing of theirs", async () => {
    const { store, document } = await empty();
    let writes = 0;
    const busy: Store = {
      ...store,
      write: async (request, decide) => {
        writes += 1;
        // Between the plan and each of the first two writes, and the looks before them.
        if (writes === 2 || writes === 4 || writes === 6) await clientOf(store).take(documentOf([flagOf(`other-${writes}`)]));
        return store.write(request, decide);
      },
    };
    const done = await clientOf(busy).take(documentOf([flagOf("mine", { mode: "on" })]));
    expect(done.body.changed).toBe(true);
    expect((await document()).flags.map(({ key }) => key)).toEqual(["mine", "other-2", "other-4", "other-6"]);
    expect(writes).toBe(6);
  });
});
