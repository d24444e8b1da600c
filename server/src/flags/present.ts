import { type Context, checkFlag, sentenceOf, stateOf } from "@signalbox/core";
import type { Configuration, Flag, FlagState, FlagSummary } from "../api-types.ts";
import { inOrder } from "../environments/located.ts";
import type { EnvironmentModel, FlagRecord, ProjectModel } from "../store/model.ts";
import { serverFlag } from "../store/project.ts";
import { fromRule } from "./convert.ts";
import { configurationEtag, identityEtag } from "./decide.ts";
import { isEdited } from "./kills.ts";
import { obstaclesOf } from "./refusals.ts";

/** What flag routes ask of the usage reports. */
export interface SeenFlags {
  /** Contexts that programs sent to try edits on, the oldest first. */
  samples(environmentId: number): readonly { readonly context: Context; readonly at: number }[];
  seen(environmentId: number, flagKey: string): { readonly at: number; readonly app: string; readonly variant: string } | null;
  perMinute(environmentId: number, flagKey: string): number;
  hiddenAsked(environmentId: number, flagKey: string): { readonly at: number; readonly app: string } | null;
}

/** Stored flags in the API's form. */
export function summaryOf(
  environment: EnvironmentModel,
  flag: FlagRecord,
  usage: SeenFlags,
  now = Date.now(),
  state = stateWord(flag, now),
): FlagSummary {
  const { identity, body, killed } = flag;
  return {
    key: identity.key,
    name: identity.name,
    description: identity.description,
    type: identity.type,
    tags: [...identity.tags],
    owner: identity.owner,
    kind: identity.kind,
    expectedDays: identity.expectedDays,
    stale: isStale(flag, now),
    archived: body.archived,
    browser: body.browser,
    state,
    killed: killed && { at: killed.at, by: killed.by, reason: killed.reason, edited: isEdited(flag) },
    seen: usage.seen(environment.info.id, identity.key),
    perMinute: usage.perMinute(environment.info.id, identity.key),
    ...updatedOf(flag),
  };
}

export function flagOf(project: ProjectModel, environment: EnvironmentModel, flag: FlagRecord, usage: SeenFlags): Flag {
  const { identity } = flag;
  const entry = serverFlag(flag);
  const groupName = (key: string) => environment.groups.get(key)?.name ?? key;
  return {
    ...summaryOf(environment, flag, usage),
    aliases: [...identity.aliases],
    links: identity.links.map((link) => ({ ...link })),
    createdAt: identity.createdAt,
    createdBy: identity.createdBy,
    environment: environment.info.key,
    revision: environment.revision,
    configuration: configurationOf(flag),
    identityEtag: identityEtag(identity),
    configurationEtag: configurationEtag(environment, flag),
    sentence: sentenceOf(entry, { group: groupName }),
    warnings: checkFlag(entry, environment.states.server.entries).warnings,
    browserObstacles: obstaclesOf(environment, identity.key),
    hiddenAsked: usage.hiddenAsked(environment.info.id, identity.key),
    environments: inOrder(project).flatMap((each) => {
      const record = each.flags.get(identity.key);
      if (!record) return [];
      const { key, production } = each.info;
      const { archived } = record.body;
      return [{ environment: key, production, state: stateWord(record), archived, configurationEtag: configurationEtag(each, record) }];
    }),
  };
}

/** As the API has it: in percent, without the salt. */
export function configurationOf({ body }: FlagRecord): Configuration {
  const { salt: _fixed, rules, requires, values, ...rest } = body;
  return {
    ...rest,
    values: structuredClone(values) as Configuration["values"],
    rules: rules.map(fromRule),
    requires: requires.map(({ flag, variants }) => ({ flag, variants: [...variants] })),
  };
}

const DAY_MS = 86_400_000;

/** Past its expected life. One that is archived has ended. */
export function isStale({ identity: { createdAt, expectedDays }, body }: FlagRecord, now: number): boolean {
  return expectedDays !== null && !body.archived && now > createdAt + expectedDays * DAY_MS;
}

export function stateWord(flag: FlagRecord, now = Date.now()): FlagState {
  return { ...stateOf(serverFlag(flag), now) };
}

/** Whether its state changes with time alone. */
export function isScheduled({ body }: FlagRecord): boolean {
  return body.rules.some(({ rollout }) => rollout?.over !== undefined);
}

/** A kill is a change too, and the last one is the one that people ask about. */
export function updatedOf({ killed, updatedAt, updatedBy }: FlagRecord): { readonly updatedAt: number; readonly updatedBy: string } {
  return killed && killed.at > updatedAt ? { updatedAt: killed.at, updatedBy: killed.by } : { updatedAt, updatedBy };
}
