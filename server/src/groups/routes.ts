import { randomBytes } from "node:crypto";
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { conditionSentence } from "@signalbox/core";
import type { Context } from "hono";
import type { Group, GroupWritten } from "../api-types.ts";
import { environmentIn, problemOf, projectAt } from "../environments/located.ts";
import { ENVIRONMENT, environmentParams, ifMatchHeader } from "../environments/params.ts";
import { problem } from "../errors.ts";
import { fromCondition, toCondition } from "../flags/convert.ts";
import { type ApiEnv, answer, apiRoute, authorOf, body, createApi } from "../http/route.ts";
import type { EnvironmentModel, GroupRecord, Member } from "../store/model.ts";
import type { Author } from "../store/origin.ts";
import type { Current, Outcome } from "../store/outcome.ts";
import { usesOfGroups } from "../store/project.ts";
import type { Store } from "../store/store.ts";
import { type BadLine, readUnits, unitsFile } from "./csv.ts";
import { createGroup, deleteGroup, groupEtag, patchGroup } from "./decide.ts";
import type { Lists } from "./lists.ts";
import type { Members } from "./members.ts";
import * as shapes from "./schema.ts";

const groupParams = environmentParams.extend({ group: z.string().max(100) });
const written = answer(shapes.groupWritten, "the group as it is now, and the revision");
const PAGE_MAX = 1_000;

const listRoute = apiRoute("read", {
  method: "get",
  path: `${ENVIRONMENT}/groups`,
  summary: "Groups, by key",
  request: { params: environmentParams },
  responses: { 200: answer(shapes.groupList, "the groups of the environment") },
});
const createRoute = apiRoute("edit", {
  method: "post",
  path: `${ENVIRONMENT}/groups`,
  summary: "Makes a group",
  request: { params: environmentParams, body: body(shapes.createGroup) },
  responses: { 201: written },
});
const getRoute = apiRoute("read", {
  method: "get",
  path: `${ENVIRONMENT}/groups/{group}`,
  summary: "One group",
  request: { params: groupParams },
  responses: { 200: answer(shapes.group, "the group") },
});
const patchRoute = apiRoute("edit", {
  method: "patch",
  path: `${ENVIRONMENT}/groups/{group}`,
  summary: "Changes name, description and conditions",
  request: { params: groupParams, headers: ifMatchHeader, body: body(shapes.patchGroup) },
  responses: { 200: written },
});
const deleteRoute = apiRoute("edit", {
  method: "delete",
  path: `${ENVIRONMENT}/groups/{group}`,
  summary: "Deletes a group that nothing uses",
  request: { params: groupParams, headers: ifMatchHeader },
  responses: { 204: { description: "it is gone" } },
});
const membersRoute = apiRoute("read", {
  method: "get",
  path: `${ENVIRONMENT}/groups/{group}/members`,
  summary: "Its members, clear units, a page at a time",
  request: {
    params: groupParams,
    query: z.object({ after: z.string().max(200).optional(), limit: z.coerce.number().int().min(1).max(PAGE_MAX).optional() }),
  },
  responses: { 200: answer(shapes.memberList, "one page") },
});
const changeMembersRoute = apiRoute("edit", {
  method: "post",
  path: `${ENVIRONMENT}/groups/{group}/members`,
  summary: "Adds and removes members in one step",
  request: { params: groupParams, body: body(shapes.changeMembers) },
  responses: { 200: answer(shapes.membersWritten, "the group as it is now, the revision, and who moved") },
});

const csvRoute = apiRoute("edit", {
  method: "post",
  path: `${ENVIRONMENT}/groups/{group}/members/csv`,
  summary: "Adds, replaces or removes members by a CSV file, all or nothing, as one revision",
  request: { params: groupParams, query: shapes.csvQuery, body: { content: { "text/csv": { schema: z.string() } } } },
  responses: { 200: answer(shapes.csvAnswer, "who moved, or would, and which lines cannot be taken") },
});
const csvFileRoute = apiRoute("read", {
  method: "get",
  path: `${ENVIRONMENT}/groups/{group}/members.csv`,
  summary: "Its members as a CSV file, which can be imported again",
  request: { params: groupParams },
  responses: {
    200: { description: "unit, when and by whom it came in, ordered by unit", content: { "text/csv": { schema: z.string() } } },
  },
});
const FIRST_MAX = 20;

export interface GroupsDeps {
  readonly store: Store;
  readonly members: Members;
  readonly lists: Lists;
}

/** The group routes of the admin API. */
export function groupRoutes({ store, members, lists }: GroupsDeps): OpenAPIHono<ApiEnv> {
  const api = createApi();
  const at = (place: { project: string; environment: string }) => environmentIn(projectAt(store, place.project), place.environment);

  async function write(
    place: { project: string; environment: string; group: string },
    author: Author,
    decide: (current: Current) => Outcome,
  ) {
    at(place);
    const { outcome, project } = await store.write({ ...author, project: place.project }, decide);
    const environment = environmentIn(project, place.environment);
    if (outcome.kind === "conflict") {
      const current = existing(environment, place.group);
      throw problem("ETAG_MISMATCH", `The group "${current.key}" was changed in the meantime; look at it as it is now and save again.`, {
        current: groupOf(environment, current),
        headers: { etag: groupEtag(current) },
      });
    }
    if (outcome.kind === "missing" || outcome.kind === "invalid") throw problemOf(outcome);
    return { environment, outcome };
  }
  function writtenGroup(environment: EnvironmentModel, key: string, outcome: Outcome): GroupWritten {
    const group = groupOf(environment, existing(environment, key));
    return { group, revision: environment.revision, changed: outcome.kind === "changed" };
  }

  api.openapi(listRoute, (c) => {
    const environment = at(c.req.valid("param"));
    const uses = usesOfGroups(environment);
    const groups = [...environment.groups.values()]
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .map((group) => groupOf(environment, group, uses));
    return c.json({ environment: environment.info.key, revision: environment.revision, groups }, 200);
  });
  api.openapi(createRoute, async (c) => {
    const place = c.req.valid("param");
    const { when, ...rest } = c.req.valid("json");
    const input = { ...rest, ...(when && { when: toCondition(when, "when") }) };
    const hashKey = randomBytes(16).toString("hex");
    const decide = (current: Current) => createGroup(current, place.environment, input, hashKey);
    const { environment, outcome } = await write({ ...place, group: input.key }, authorOf(c), decide);
    return c.json(writtenGroup(environment, input.key, outcome), 201);
  });
  api.openapi(getRoute, (c) => {
    const place = c.req.valid("param");
    const environment = at(place);
    const group = existing(environment, place.group);
    c.header("etag", groupEtag(group));
    return c.json(groupOf(environment, group), 200);
  });
  api.openapi(patchRoute, async (c) => {
    const place = c.req.valid("param");
    const { when, ...rest } = c.req.valid("json");
    const patch = { ...rest, ...(when && { when: toCondition(when, "when") }) };
    const ifMatch = c.req.valid("header")["if-match"];
    const decide = (current: Current) => patchGroup(current, place.environment, place.group, patch, ifMatch);
    const { environment, outcome } = await write(place, authorOf(c), decide);
    const answer = writtenGroup(environment, place.group, outcome);
    c.header("etag", answer.group.etag);
    return c.json(answer, 200);
  });
  api.openapi(deleteRoute, async (c) => {
    const place = c.req.valid("param");
    const ifMatch = c.req.valid("header")["if-match"];
    await write(place, authorOf(c), (current) => deleteGroup(current, place.environment, place.group, ifMatch));
    return c.body(null, 204);
  });
  api.openapi(membersRoute, async (c) => {
    const place = c.req.valid("param");
    const { after, limit = 100 } = c.req.valid("query");
    const group = existing(at(place), place.group);
    const page = await members.page(group, after, limit + 1);
    const listed = page.slice(0, limit);
    return c.json({ members: listed, next: page.length > limit ? (listed.at(-1)?.unit ?? null) : null }, 200);
  });
  api.openapi(changeMembersRoute, async (c) => {
    const place = c.req.valid("param");
    const { add = [], remove = [], rejoin } = c.req.valid("json");
    const { info } = at(place);
    const { outcome, environment, moves } = await members.change({
      environmentId: info.id,
      group: place.group,
      author: authorOf(c),
      change: { add, remove, rejoin },
      action: "group.members",
    });
    if (outcome.kind === "missing" || outcome.kind === "invalid") throw problemOf(outcome);
    const moved = { added: [...moves.coming], removed: [...moves.going], keptOut: [...moves.keptOut] };
    return c.json({ ...writtenGroup(environment, place.group, outcome), ...moved }, 200);
  });
  api.openapi(csvRoute, async (c) => {
    const place = c.req.valid("param");
    const { mode = "add", column, rejoin, dryRun, reason } = c.req.valid("query");
    existing(at(place), place.group);
    const { lines, units, bad, badLines } = await readUnits(bytesOf(c), column);
    const isDry = dryRun === "true";
    if (badLines > 0 && !isDry) throw badFile(bad, badLines);
    const request = { ...place, mode, units, rejoin: rejoin === "true" };
    const { moves, environment, changed, members } = isDry
      ? await lists.preview(request)
      : await lists.change(request, { ...authorOf(c), reason });
    const some = (of: readonly string[]) => ({ count: of.length, first: of.slice(0, FIRST_MAX) });
    const { coming, going, keptOut } = moves;
    return c.json(
      {
        dryRun: isDry,
        mode,
        lines,
        units: units.length,
        coming: some(coming),
        going: some(going),
        keptOut: some(keptOut),
        members,
        badLines,
        bad: [...bad],
        changed,
        revision: environment.revision,
      },
      200,
    );
  });
  api.openapi(csvFileRoute, (c) => {
    const place = c.req.valid("param");
    const group = existing(at(place), place.group);
    const file = unitsFile<CsvRow>(["unit", "added", "by"], async (after) => (await lists.page(group, after)).map(rowOf));
    c.header("content-type", "text/csv; charset=utf-8");
    c.header("content-disposition", `attachment; filename="${place.group}-${place.environment}.csv"`);
    return c.body(ReadableStream.from(file) as ReadableStream<Uint8Array>, 200);
  });
  return api;
}

interface CsvRow {
  readonly unit: string;
  readonly added: string;
  readonly by: string;
}

function rowOf({ unit, at, by }: Member): CsvRow {
  return { unit, added: new Date(at).toISOString(), by };
}

/** The body as it comes in; whole where something has read it already. */
async function* bytesOf({ req }: Context<ApiEnv>): AsyncGenerator<Uint8Array> {
  if (req.raw.bodyUsed) yield new Uint8Array(await req.arrayBuffer());
  else if (req.raw.body) yield* req.raw.body;
}

function badFile(bad: readonly BadLine[], badLines: number) {
  const [first] = bad;
  const more = badLines > 1 ? ` ${badLines} lines cannot be taken.` : "";
  return problem("GROUP_REFUSED", `Nothing was changed: line ${first?.line} ${first?.message}.${more}`, {
    issues: bad.map(({ line, message }) => ({ path: `lines.${line}`, message: `line ${line} ${message}` })),
  });
}

function existing(environment: EnvironmentModel, key: string): GroupRecord {
  const group = environment.groups.get(key);
  if (group) return group;
  throw problem("GROUP_NOT_FOUND", `There is no group with the key "${key}" in ${environment.info.key}; the list of groups has the keys.`);
}

function groupOf(environment: EnvironmentModel, group: GroupRecord, uses = usesOfGroups(environment)): Group {
  const { key, kind, name, description, by, when, list, updatedAt, updatedBy } = group;
  return {
    key,
    kind,
    name,
    description,
    by,
    when: when && fromCondition(when),
    members: list.length,
    usedBy: uses.get(key) ?? [],
    sentence: sentenceOfGroup(environment, group),
    etag: groupEtag(group),
    updatedAt,
    updatedBy,
  };
}

/** Who is in it, in words. */
function sentenceOfGroup(environment: EnvironmentModel, { kind, when, by, list }: GroupRecord): string {
  const groupName = (key: string) => environment.groups.get(key)?.name ?? key;
  if (kind === "conditions") return when ? `By conditions: ${conditionSentence(when, { group: groupName })}.` : "Nobody.";
  const many = list.length === 1 ? "1" : list.length.toLocaleString("en-US");
  const unit = by === "key" ? (list.length === 1 ? "person" : "people") : `${by} ${list.length === 1 ? "value" : "values"}`;
  return kind === "list" ? `${many} listed ${unit}.` : `${many} ${unit} who signed up.`;
}
