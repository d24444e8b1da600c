import {
  type Context,
  colonParent,
  type Difference,
  effect,
  explain,
  type FlagBody,
  type Names,
  type Rule,
  ruleTitle,
  type State,
  sampleContexts,
} from "@signalbox/core";
import type { EffectAnswer, Explanation } from "../api-types.ts";
import { environmentIn, flagIn, problemOf, projectAt } from "../environments/located.ts";
import { sameJson } from "../store/fingerprint.ts";
import { type EnvironmentModel, type FlagRecord, findFlag, type ProjectModel } from "../store/model.ts";
import { type Current, NO_IDS, type Outcome } from "../store/outcome.ts";
import { serverFlag } from "../store/project.ts";
import { refuseTooLarge, type Store } from "../store/store.ts";
import { type ConfigurationPatch, toStored } from "./convert.ts";
import { configure } from "./decide.ts";
import { effectSentence } from "./effect-sentence.ts";
import { CONTEXTS_MAX } from "./explain-schema.ts";
import type { Place } from "./flags.ts";
import { setKilled } from "./kills.ts";
import type { SeenFlags } from "./present.ts";
import { committedState, editedState } from "./preview.ts";

/** Answers explained, and what edits would do, for committed state and for edits that are not saved. Nothing is written. */
export interface WhatIf {
  /** Throws the refusal that saving `patch` would meet. */
  explain(place: Place, key: string, context: Context, patch?: ConfigurationPatch): Explanation;
  /** In an environment as it was. Throws FLAG_NOT_FOUND. */
  explainIn(environment: EnvironmentModel, key: string, context: Context): Explanation;
  /** Throws the refusal that saving `patch` would meet. Gives way to other work between slices of contexts. */
  effect(place: Place, key: string, patch: ConfigurationPatch, whom: Whom): Promise<EffectAnswer>;
}

export interface Whom {
  readonly contexts?: readonly Context[] | undefined;
  /** How many are made up when none are given; absent: those that programs sent, or as many made-up ones as there may be where none did. */
  readonly sample?: number | undefined;
}

const EXAMPLES_MAX = 20;
/** Other work gets its turn about so often: a kill does not wait for somebody who looks ahead. */
const SLICE_MS = 5;
/** Hostile rules over long texts could take 5 ms for each context; what is not compared by then is told as not compared. */
const COMPARE_MS_MAX = 3_000;

interface WhatIfDeps {
  readonly store: Pick<Store, "project" | "projects">;
  readonly usage: Pick<SeenFlags, "samples">;
  readonly now: () => number;
  readonly newRuleId: () => string;
}

export function createWhatIf({ store, usage, now, newRuleId }: WhatIfDeps): WhatIf {
  function found(place: Place, key: string): { project: ProjectModel; environment: EnvironmentModel; flag: FlagRecord } {
    const project = projectAt(store, place.project);
    const environment = environmentIn(project, place.environment);
    return { project, environment, flag: flagIn(environment, key) };
  }

  /** The environment as a decision would leave it; throws what the decision refuses. */
  function decided(project: ProjectModel, environment: EnvironmentModel, decide: (current: Current) => Outcome): EnvironmentModel {
    const current: Current = { project, now: now(), by: "", newIds: NO_IDS };
    const outcome = refuseTooLarge(project, decide(current));
    if (outcome.kind === "missing" || outcome.kind === "invalid") throw problemOf(outcome);
    const after = outcome.kind === "changed" ? outcome.applied.project : project;
    return after.environments.find(({ info }) => info.id === environment.info.id) ?? environment;
  }

  function edited(project: ProjectModel, environment: EnvironmentModel, key: string, patch: ConfigurationPatch): EnvironmentModel {
    const stored = toStored(patch, newRuleId);
    // Whoever only looks ahead has no state that they have seen: any will do.
    return decided(project, environment, (current) => configure(current, environment.info.key, key, stored, "*"));
  }

  function told(environment: EnvironmentModel, shown: EnvironmentModel, flag: FlagRecord, key: string, context: Context): Explanation {
    const at = now();
    const trace = explain(stateOf(shown), key, context, { clock: () => at, random: Math.random }, namesIn(environment));
    // Plain JSON: without the fields that are undefined, and with lists of our own.
    const { flag: named = flag.identity.key, ...rest } = structuredClone(trace);
    return { ...placed(environment, named), ...(rest as Omit<Explanation, "flag" | "environment" | "generation" | "revision">) };
  }

  return {
    explain(place, key, context, patch) {
      const { project, environment, flag } = found(place, key);
      return told(environment, patch ? edited(project, environment, key, patch) : environment, flag, key, context);
    },
    explainIn: (environment, key, context) => told(environment, environment, flagIn(environment, key), key, context),

    async effect(place, key, patch, { contexts: given, sample }) {
      const { project, environment, flag } = found(place, key);
      const before = flag.killed
        ? decided(project, environment, (current) => setKilled(current, environment.info.key, key, null))
        : environment;
      const after = edited(
        { ...project, environments: project.environments.map((each) => (each === environment ? before : each)) },
        before,
        key,
        patch,
      );
      const was = flagIn(before, key);
      const is = flagIn(after, key);
      const versions = [serverFlag(was), serverFlag(is)];
      const samples = given === undefined && sample === undefined ? usage.samples(environment.info.id) : [];
      const contexts = samples.length > 0 ? samples.map(({ context }) => context) : given;
      const whom: readonly Context[] = contexts ?? sampleContexts(neededBy(after, serverFlag(was), serverFlag(is)), sample ?? CONTEXTS_MAX);
      // Made-up users have no attributes, so each denial on one would hold them all back, and hide what the edits do. One that is true
      // for them (by the clock, say) holds back everybody, and stays.
      const aside = contexts
        ? []
        : unchangedDenials(was, is).filter(({ id }) => [before, after].some((each) => isUndecided(stateOf(each), key, id, whom[0], now())));
      const [from, to] = [before, after].map((each, index) => stateWithout(each, index === 0 ? was : is, aside)) as [State, State];
      const names = namesIn(environment);
      const answer = {
        ...placed(environment, flag.identity.key),
        ...(await compare(from, to, flag.identity.key, whom, now(), names)),
        asked: whom.length,
        madeUp: contexts === undefined,
        sampled: samples.length > 0 ? { oldestAt: samples[0]?.at ?? 0, newestAt: samples.at(-1)?.at ?? 0 } : null,
        killed: flag.killed !== null,
        setAside: aside.map((rule) => ruleTitle(rule, versions[0] as FlagBody, names)),
      };
      return { ...answer, sentence: effectSentence(answer, contexts ? [] : unitsOf(versions), now()) };
    },
  };
}

/** Whether it is not known whether the conditions of a rule hold for a context. A mode that asks no rules leaves them untold. */
function isUndecided(state: State, key: string, ruleId: string, context: Context | undefined, at: number): boolean {
  const { rules } = explain(state, key, context, { clock: () => at });
  return rules.some(({ id, when }) => id === ruleId && when?.verdict === "unknown");
}

/** The versions of a flag and all flags that they need, directly or not: whoever is made up has the units that these hash. */
function neededBy(environment: EnvironmentModel, ...versions: readonly FlagBody[]): FlagBody[] {
  const needed = new Map<string, FlagBody>();
  const found = [...versions];
  for (const flag of found) {
    const parent = flag.parent ?? colonParent(flag.key);
    for (const key of [...(flag.requires ?? []).map((one) => one.flag), ...(parent === undefined ? [] : [parent])]) {
      const other = needed.has(key) ? undefined : findFlag(environment, key);
      if (!other) continue;
      needed.set(key, serverFlag(other));
      found.push(serverFlag(other));
    }
  }
  return found;
}

/** Denials with conditions that are the same in both versions. */
function unchangedDenials(was: FlagRecord, is: FlagRecord): Rule[] {
  return was.body.rules.filter(
    (rule) =>
      rule.when !== undefined &&
      isDenial(rule, was) &&
      isDenial(rule, is) &&
      is.body.rules.some((other) => other.id === rule.id && sameJson(other, rule)),
  );
}

function isDenial({ serve }: Rule, { body }: FlagRecord): boolean {
  return serve.kind === "variant" && serve.variant === body.off;
}

function stateWithout(environment: EnvironmentModel, flag: FlagRecord, aside: readonly Rule[]): State {
  if (aside.length === 0) return stateOf(environment);
  const ids = new Set(aside.map(({ id }) => id));
  const rules = flag.body.rules.filter(({ id }) => !ids.has(id));
  return editedState(environment.states.server.entries, serverFlag({ ...flag, body: { ...flag.body, rules } }));
}

async function compare(
  before: State,
  after: State,
  key: string,
  contexts: readonly Context[],
  at: number,
  names: Names,
): Promise<Pick<EffectAnswer, "total" | "counts" | "examples">> {
  const counts = { gains: 0, loses: 0, changes: 0, keeps: 0, staysOut: 0 };
  const examples: EffectAnswer["examples"] = { gains: [], loses: [], changes: [], keeps: [], staysOut: [] };
  const startedAt = performance.now();
  let total = 0;
  // Hostile rules take a thousand times as long as ordinary ones, so the slices find their size by themselves.
  let size = 1;
  while (total < contexts.length && performance.now() - startedAt < COMPARE_MS_MAX) {
    if (total > 0) await new Promise(setImmediate);
    const sliceAt = performance.now();
    const slice = contexts.slice(total, total + size);
    // One draw for each context, kept so that an example is explained by the draw that decided it.
    const draws: number[] = [];
    const random = () => draws[draws.push(Math.random()) - 1] ?? 0;
    const clock = () => at;
    for (const [index, one] of effect(before, after, key, slice, { clock, random }).entries()) {
      counts[one.difference] += 1;
      const listed = examples[one.difference];
      if (listed.length >= EXAMPLES_MAX) continue;
      const context = slice[index] as Context;
      const why = isMove(one.difference) && explain(after, key, context, { clock, random: () => draws[index] ?? 0 }, names).sentence;
      listed.push({
        index: total + index,
        ...(typeof context.key === "string" || typeof context.key === "number" ? { key: String(context.key) } : {}),
        before: one.before.served ? one.before.variant : null,
        after: one.after.served ? one.after.variant : null,
        ...(why !== false && { sentence: why }),
      });
    }
    total += slice.length;
    size = performance.now() - sliceAt < SLICE_MS ? size * 2 : Math.max(1, Math.floor(size / 2));
  }
  return { total, counts, examples };
}

function isMove(difference: Difference): boolean {
  return difference === "gains" || difference === "loses";
}

function stateOf(environment: EnvironmentModel): State {
  return committedState(environment.states.server.entries);
}

function namesIn({ groups }: EnvironmentModel): Names {
  return { group: (key) => groups.get(key)?.name ?? key };
}

function placed({ info, generation, revision }: EnvironmentModel, flag: string) {
  return { flag, environment: info.key, generation, revision };
}

/** What the made-up contexts have besides their key: the units of percentages and splits. */
function unitsOf(versions: readonly FlagBody[]): string[] {
  const [first = {}] = sampleContexts(versions, 1);
  return Object.keys(first).filter((name) => name !== "key");
}
