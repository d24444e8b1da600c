import { randomBytes } from "node:crypto";
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { stateOf } from "@signalbox/core";
import type { Context } from "hono";
import type { Comparison, Promoted } from "../api-types.ts";
import { environmentIn, problemOf, projectAt } from "../environments/located.ts";
import { PROJECT, projectParams } from "../environments/params.ts";
import { problem } from "../errors.ts";
import { configurationDifferences, type Difference, groupDifferences } from "../flags/diff.ts";
import { type ApiEnv, answer, apiRoute, authorOf, body, createApi } from "../http/route.ts";
import { type EnvironmentModel, type FlagRecord, findFlag, type GroupRecord, type ProjectModel } from "../store/model.ts";
import { type Current, NO_IDS } from "../store/outcome.ts";
import { serverFlag } from "../store/project.ts";
import { refuseTooLarge, type Store } from "../store/store.ts";
import { createTurn } from "../turns.ts";
import { compareEnvironments, type FlagCompared, type GroupCompared, sentenceIn } from "./compare.ts";
import { exportProject, withUnits } from "./export.ts";
import { createImports } from "./import.ts";
import type { PlannedChange } from "./plan.ts";
import { FIELDS, type Promotion, promote } from "./promote.ts";
import * as shapes from "./schema.ts";

const compareRoute = apiRoute("list", {
  method: "get",
  path: `${PROJECT}/compare`,
  summary: "What two environments have differently, in words and as it is stored; needs the right to read both",
  request: { params: projectParams, query: shapes.compareQuery },
  responses: { 200: answer(shapes.comparison, "the flags and groups that differ") },
});
const promoteRoute = apiRoute("list", {
  method: "post",
  path: `${PROJECT}/promote`,
  summary: "Copies configurations from one environment to another, as one revision; needs the right to edit where they go",
  request: { params: projectParams, body: body(shapes.promoteBody) },
  responses: { 200: answer(shapes.promoted, "what changed, or would") },
});

const exportRoute = apiRoute("list", {
  method: "get",
  path: `${PROJECT}/export`,
  summary: "The project as one file, with the environments that the caller may read; the same state gives the same bytes",
  request: { params: projectParams, query: shapes.exportQuery },
  responses: { 200: answer(z.record(z.string(), z.unknown()), "the file of docs/export-format.md") },
});
const importRoute = apiRoute("list", {
  method: "post",
  path: `${PROJECT}/import`,
  summary: "Takes a file into the project, all or nothing; needs the right to edit what it changes",
  request: {
    params: projectParams,
    query: shapes.importQuery,
    // Looked at part by part, since a long file would hold up everybody else.
    body: { content: { "application/json": { schema: { type: "object", description: "the file of docs/export-format.md" } } } },
  },
  responses: { 200: answer(shapes.imported, "what changed, or would, and why not") },
});

const TOLD_MAX = 500;
const OBJECTIONS_TOLD_MAX = 100;

/** Comparing, promoting, exporting and importing. What a caller may do is asked here, since paths name no environment. */
export function transferRoutes({ store }: { readonly store: Store }): OpenAPIHono<ApiEnv> {
  const api = createApi();
  const imports = createImports(store);

  function bothOf(c: Context<ApiEnv>, project: string, from: string, to: string, action: "read" | "edit") {
    const access = c.get("access");
    access.demand("read", { project, environment: from });
    access.demand(action, { project, environment: to });
    if (from === to) {
      const message = `"${from}" is compared with itself; name two environments`;
      throw problem("VALIDATION_FAILED", message, { issues: [{ path: "to", message }] });
    }
    return sidesOf(projectAt(store, project), from, to);
  }

  async function comparison(sides: Sides, only?: string): Promise<Comparison> {
    const { from, to } = sides;
    const { flags, groups } = await compareEnvironments(from, to, only, createTurn());
    return {
      from: from.info.key,
      to: to.info.key,
      flags: flags.slice(0, TOLD_MAX).map((flag) => flagTold(sides, flag)),
      groups: groups.slice(0, TOLD_MAX).map(groupTold),
      total: { flags: flags.length, groups: groups.length },
    };
  }

  api.openapi(compareRoute, async (c) => {
    const { project } = c.req.valid("param");
    const { from, to, flag } = c.req.valid("query");
    const sides = bothOf(c, project, from, to, "read");
    const found = flag === undefined ? undefined : findFlag(sides.from, flag);
    if (flag !== undefined && !found) {
      throw problem("FLAG_NOT_FOUND", `There is no flag with the key "${flag}" in ${from}; the list of flags has the keys.`);
    }
    return c.json(await comparison(sides, found?.identity.key), 200);
  });
  api.openapi(promoteRoute, async (c) => {
    const { project: key } = c.req.valid("param");
    const { dryRun = false, reason, flags = [], groups = [], fields = FIELDS, ...where } = c.req.valid("json");
    bothOf(c, key, where.from, where.to, "edit");
    const promotion: Promotion = { ...where, flags, groups, fields, hashKeys: groups.map(() => randomBytes(16).toString("hex")) };
    const author = { ...authorOf(c), reason };
    const { before, after, outcome } = dryRun ? dry(projectAt(store, key), author.by) : await write();
    if (outcome.kind === "conflict") {
      const detail = `What was compared was changed in the meantime; compare ${where.from} and ${where.to} again and promote once more.`;
      throw problem("ETAG_MISMATCH", detail, { current: await comparison(sidesOf(projectAt(store, key), where.from, where.to)) });
    }
    if (outcome.kind === "missing" || outcome.kind === "invalid") throw problemOf(outcome);
    return c.json(promotedOf(promotion, before, after, dryRun, outcome.kind === "changed"), 200);

    function dry(project: ProjectModel, by: string) {
      const current: Current = { project, now: Date.now(), by, newIds: NO_IDS };
      const decided = refuseTooLarge(project, promote(current, promotion));
      return { before: project, after: decided.kind === "changed" ? decided.applied.project : project, outcome: decided };
    }
    async function write() {
      let before = projectAt(store, key);
      const { outcome: decided, project } = await store.write({ ...author, project: key }, (current) => {
        before = current.project;
        return promote(current, promotion);
      });
      return { before, after: project, outcome: decided };
    }
  });
  api.openapi(exportRoute, async (c) => {
    const { project: key } = c.req.valid("param");
    const { members = "none" } = c.req.valid("query");
    const access = c.get("access");
    const visible = () => {
      const project = access.projects().find((each) => each.key === key);
      return project ?? projectAt(store, key);
    };
    if (members === "clear") for (const { info } of visible().environments) access.demand("admin", { project: key, environment: info.key });
    const turn = createTurn();
    const { project, units } = members === "clear" ? await withUnits(store, visible, turn) : { project: visible(), units: new Map() };
    c.header("content-type", "application/json; charset=utf-8");
    c.header("content-disposition", `attachment; filename="${key}.signalbox.json"`);
    const encoder = new TextEncoder();
    async function* bytes() {
      for await (const part of exportProject(project, members, units, turn)) yield encoder.encode(part);
    }
    return c.body(ReadableStream.from(bytes()) as ReadableStream<Uint8Array>, 200) as never;
  });
  api.openapi(importRoute, async (c) => {
    const { project: key } = c.req.valid("param");
    const { mode = "merge", dryRun, reuse, reason } = c.req.valid("query");
    const access = c.get("access");
    const isDry = dryRun === "true";
    const request = { project: key, input: parsed(await c.req.text()), mode, reuse: reuse === "true", dryRun: isDry };
    const done = await imports.import(request, { ...authorOf(c), reason }, access);
    const readable = done.project.environments.filter(({ info }) => access.may("read", { project: key, environment: info.key }));
    return c.json(
      {
        dryRun: isDry,
        mode,
        changed: done.changed,
        totals: {
          flags: countsOf(done.changes, "flag"),
          groups: countsOf(done.changes, "group"),
          settings: countsOf(done.changes, "settings"),
        },
        changes: done.changes
          .slice(0, TOLD_MAX)
          .map(({ differences, ...change }) => ({ ...change, differences: differencesTold(differences) })),
        refusals: done.objections.slice(0, OBJECTIONS_TOLD_MAX).map((one) => ({ ...one })),
        refused: done.objections.length,
        notes: done.notes.slice(0, OBJECTIONS_TOLD_MAX).map((one) => ({ ...one })),
        revisions: Object.fromEntries(readable.map(({ info, revision }) => [info.key, revision])),
      },
      200,
    );
  });
  return api;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw problem("MALFORMED_JSON", "The body cannot be read as JSON.", { cause: error });
  }
}

function countsOf(changes: readonly PlannedChange[], kind: PlannedChange["kind"]) {
  const counts = { created: 0, changed: 0, archived: 0, deleted: 0 };
  for (const change of changes) if (change.kind === kind) counts[change.what] += 1;
  return counts;
}

interface Sides {
  readonly from: EnvironmentModel;
  readonly to: EnvironmentModel;
}

function sidesOf(project: ProjectModel, from: string, to: string): Sides {
  return { from: environmentIn(project, from), to: environmentIn(project, to) };
}

function flagTold({ from, to }: Sides, compared: FlagCompared): z.input<typeof shapes.flagCompared> {
  const side = (environment: EnvironmentModel, flag: FlagRecord) => {
    return { state: stateWord(flag), sentence: sentenceIn(environment, flag), archived: flag.body.archived, killed: flag.killed !== null };
  };
  return {
    key: compared.key,
    name: compared.from.identity.name,
    etag: compared.etag,
    from: side(from, compared.from),
    to: side(to, compared.to),
    differences: differencesTold(compared.differences),
    missingGroups: [...compared.missingGroups],
  };
}

function groupTold({ key, etag, from, to, differences }: GroupCompared): z.input<typeof shapes.groupCompared> {
  const side = (group: GroupRecord | undefined) => (group ? { kind: group.kind, name: group.name, members: group.list.length } : null);
  const copies = from?.kind === "conditions" && (to === undefined || to.kind === "conditions");
  return { key, etag, from: side(from), to: side(to), differences: differencesTold(differences), copies };
}

/** What became of what was asked for, in the environment where it went. */
function promotedOf(promotion: Promotion, before: ProjectModel, after: ProjectModel, dryRun: boolean, changed: boolean): Promoted {
  const [was, is] = [environmentIn(before, promotion.to), environmentIn(after, promotion.to)];
  const names = { group: (key: string) => is.groups.get(key)?.name ?? key };
  return {
    from: promotion.from,
    to: promotion.to,
    dryRun,
    changed,
    revision: dryRun ? was.revision : is.revision,
    flags: promotion.flags.flatMap(({ key }) => {
      const [old, flag] = [findFlag(was, key), findFlag(is, key)];
      if (!old || !flag) return [];
      const differences = configurationDifferences(flag.identity.type, old.body, flag.body, names);
      return [{ key: flag.identity.key, state: stateWord(flag), killed: flag.killed !== null, differences: differencesTold(differences) }];
    }),
    groups: promotion.groups.flatMap(({ key }) => {
      const [old, group] = [was.groups.get(key), is.groups.get(key)];
      if (!group) return [];
      const nothing = { kind: null, name: "", description: "", by: null, when: null };
      return [{ key, differences: differencesTold(groupDifferences(old ?? nothing, group, names)) }];
    }),
  };
}

function stateWord(flag: FlagRecord) {
  return { ...stateOf(serverFlag(flag), Date.now()) };
}

function differencesTold(differences: readonly Difference[]): z.input<typeof shapes.difference>[] {
  return structuredClone(differences) as z.input<typeof shapes.difference>[];
}
