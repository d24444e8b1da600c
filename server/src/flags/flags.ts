import { randomBytes } from "node:crypto";
import type { Context, Evaluation } from "@signalbox/core";
import type { BrowserView, Flag, FlagList, FlagsWritten, FlagWritten } from "../api-types.ts";
import type { Action } from "../auth/permissions.ts";
import { environmentIn, flagIn, problemOf, projectAt } from "../environments/located.ts";
import { problem } from "../errors.ts";
import { type EnvironmentModel, findFlag, type ProjectModel } from "../store/model.ts";
import type { Author } from "../store/origin.ts";
import type { Outcome } from "../store/outcome.ts";
import { serverFlag } from "../store/project.ts";
import type { Lane } from "../store/queue.ts";
import type { Decide, Store } from "../store/store.ts";
import { type Tombstone, tombstoneOf } from "../store/tombstones.ts";
import { browserViewOf } from "./browser-view.ts";
import { type ConfigurationPatch, toStored } from "./convert.ts";
import { configure, createFlag, type IdentityPatch, type NewFlag, patchIdentity } from "./decide.ts";
import { whyNotRestored } from "./edits-since.ts";
import { type Chosen, chosenIn, kill, type NewKill, restore } from "./kills.ts";
import { deleteFlag, setArchived } from "./life.ts";
import { type ListQuery, listFlags } from "./list.ts";
import { flagOf, type SeenFlags, stateWord } from "./present.ts";
import { preview } from "./preview.ts";
import { createWhatIf, type WhatIf } from "./what-if.ts";

/** One environment of one project, by their keys. */
export interface Place {
  readonly project: string;
  readonly environment: string;
}

/** Whether somebody may do this in an environment, with this flag where it matters. */
export type May = (action: Action, environment: EnvironmentModel["info"], flag?: string) => boolean;

/** Who writes, what they have seen, and what they may besides what the route has asked for: everything where it is absent. */
export interface FlagAuthor extends Author {
  readonly ifMatch?: string | undefined;
  readonly may?: May;
}

const ANYTHING: May = () => true;

/**
 * Everything that can be done with flags, for routes and pages. Each throws a `Problem` when it cannot be done; a write resolves
 * after it is durable and every program's stream has been woken.
 */
export interface Flags extends WhatIf {
  list(place: Place, query?: ListQuery): FlagList;
  /** With only those of its environments that may be read. */
  get(place: Place, key: string, may?: May): Flag;
  browserView(place: Place, key: string): BrowserView;
  /** Answers with the flag in the project's first environment. */
  create(project: string, input: NewFlag, author: FlagAuthor): Promise<FlagWritten>;
  /** Answers with the flag in `environment`, the first when absent. */
  patch(project: string, environment: string | undefined, key: string, patch: IdentityPatch, author: FlagAuthor): Promise<FlagWritten>;
  configure(place: Place, key: string, patch: ConfigurationPatch, author: FlagAuthor): Promise<FlagWritten>;
  /** The configuration as a whole document. */
  replace(place: Place, key: string, document: Required<ConfigurationPatch>, author: FlagAuthor): Promise<FlagWritten>;
  /** In one environment, or without one in all of the project: then the caller needs the right to edit in each. */
  setArchived(
    place: { readonly project: string; readonly environment?: string | undefined },
    key: string,
    archived: boolean,
    author: FlagAuthor,
  ): Promise<FlagWritten>;
  /** Everywhere. `confirm`: its key, if it is not archived in every environment. */
  delete(project: string, key: string, confirm: string | undefined, author: FlagAuthor): Promise<void>;
  kill(place: Place, key: string, author: FlagAuthor): Promise<FlagWritten>;
  /** One whose configuration was edited after the kill needs the right to edit. */
  restore(place: Place, key: string, author: FlagAuthor): Promise<FlagWritten>;
  /** Several as one revision. */
  killAll(place: Place, chosen: Chosen, author: FlagAuthor): Promise<FlagsWritten>;
  restoreAll(place: Place, chosen: Chosen, author: FlagAuthor): Promise<FlagsWritten>;
  /** What a server program would get; `patch` are edits that are not saved. */
  evaluate(place: Place, key: string, context: Context, patch?: ConfigurationPatch): Evaluation;
}

interface Committed {
  readonly project: ProjectModel;
  readonly outcome: Outcome;
}

export interface FlagsDeps {
  readonly store: Store;
  readonly usage: SeenFlags;
  readonly now?: () => number;
}

export function createFlags({ store, usage, now = Date.now }: FlagsDeps): Flags {
  const newRuleId = () => `r${randomBytes(6).toString("hex")}`;

  function present(project: ProjectModel, environmentKey: string | undefined, key: string, may: May = ANYTHING): Flag {
    const environment = environmentIn(project, environmentKey);
    const seen = { ...project, environments: project.environments.filter(({ info }) => may("read", info)) };
    return flagOf(seen, environment, flagIn(environment, key), usage);
  }

  /** Commits what is decided of the flag `key`; `shown` is the environment that a conflict shows it in. Throws what stopped it. */
  async function commit(
    projectKey: string,
    shown: string | undefined,
    key: string,
    author: FlagAuthor,
    decide: Decide,
    lane: Lane = "edit",
  ): Promise<Committed> {
    environmentIn(projectAt(store, projectKey), shown);
    const { ifMatch: _seen, may, ...by } = author;
    const { outcome, project } = await store.write({ ...by, project: projectKey, lane }, decide);
    if (outcome.kind === "conflict") {
      const current = present(project, shown, key, may);
      throw problem("ETAG_MISMATCH", `The flag "${current.key}" was changed in the meantime; look at it as it is now and save again.`, {
        current,
        headers: { etag: shown === undefined ? current.identityEtag : current.configurationEtag },
      });
    }
    if (outcome.kind === "missing" || outcome.kind === "invalid") throw problemOf(outcome);
    return { project, outcome };
  }

  /** Commits and presents the flag `key` as it is afterwards, which may have a new key by then. */
  async function write(
    place: { readonly project: string; readonly environment?: string | undefined },
    key: string,
    author: FlagAuthor,
    decide: Decide,
    lane: Lane = "edit",
  ): Promise<FlagWritten> {
    const { project, outcome } = await commit(place.project, place.environment, key, author, decide, lane);
    const flag = present(project, place.environment, outcome.kind === "changed" ? outcome.target : key, author.may);
    return { flag, revision: flag.revision, changed: outcome.kind === "changed" };
  }

  function presentAll(place: Place, chosen: Chosen, { project, outcome }: Committed): FlagsWritten {
    const environment = environmentIn(project, place.environment);
    const { flags, missing } = chosenIn(environment, chosen);
    return {
      environment: environment.info.key,
      revision: environment.revision,
      changed: outcome.kind === "changed",
      flags: flags.map((flag) => ({ key: flag.identity.key, state: stateWord(flag) })),
      missing: [...missing],
    };
  }

  function restoring(place: Place, chosen: Chosen, { may = ANYTHING }: FlagAuthor): Decide {
    return (current, tx) =>
      restore(current, place.environment, chosen, async (edited) => {
        const environment = environmentIn(current.project, place.environment);
        return may("edit", environment.info) ? undefined : await whyNotRestored(tx, environment, edited);
      });
  }

  /** Throws FORBIDDEN unless the caller may edit in each of these. */
  function assertEdits(environments: readonly EnvironmentModel[], { may = ANYTHING }: FlagAuthor): void {
    const refusing = environments.filter(({ info }) => !may("edit", info));
    if (refusing.length === 0) return;
    const seen = refusing.filter(({ info }) => may("read", info)).map(({ info }) => info.key);
    const where = seen.length > 0 ? seen.join(" and ") : "other environments";
    throw problem("FORBIDDEN", `This changes ${where} too, where you may not edit; ask somebody who may.`);
  }

  return {
    ...createWhatIf({ store, usage, now, newRuleId }),
    list: (place, query = {}) => listFlags(environmentIn(projectAt(store, place.project), place.environment), query, usage, now()),
    get(place, key, may) {
      return present(projectAt(store, place.project), place.environment, key, may);
    },
    browserView: (place, key) => browserViewOf(environmentIn(projectAt(store, place.project), place.environment), key),
    async create(project, input, author) {
      let tombstone: Tombstone | undefined;
      const result = await write({ project }, input.key, author, async (current, tx) => {
        tombstone = await tombstoneOf(tx, current.project.id, input.key);
        return createFlag(current, input, tombstone);
      });
      if (!tombstone) return result;
      const { flag } = result;
      const warning = `a deleted flag had the key "${flag.key}": programs that still ask for it get this one`;
      return { ...result, flag: { ...flag, warnings: [...flag.warnings, warning] } };
    },
    async patch(project, environment, key, patch, author) {
      // Every program gets the new key, wherever it is.
      if (patch.key !== undefined && patch.key !== key) assertEdits(projectAt(store, project).environments, author);
      return write({ project, environment }, key, author, async (current, tx) => {
        const tombstone = patch.key === undefined ? undefined : await tombstoneOf(tx, current.project.id, patch.key);
        return patchIdentity(current, key, patch, author.ifMatch, tombstone);
      });
    },
    configure(place, key, patch, author) {
      const stored = toStored(patch, newRuleId);
      return write(place, key, author, (current) => configure(current, place.environment, key, stored, author.ifMatch));
    },
    replace(place, key, document, author) {
      const stored = toStored(document, newRuleId);
      return write(place, key, author, (current) => configure(current, place.environment, key, stored, author.ifMatch, "flag.replace"));
    },
    async setArchived(place, key, archived, author) {
      const { project, environment } = place;
      assertEdits(environment === undefined ? projectAt(store, project).environments : [], author);
      return write(place, key, author, (current) => setArchived(current, environment, key, archived, author.ifMatch));
    },
    async delete(project, key, confirm, author) {
      assertEdits(projectAt(store, project).environments, author);
      await commit(project, undefined, key, author, (current) => deleteFlag(current, key, confirm, author.ifMatch));
    },
    kill(place, key, author) {
      const decide: Decide = (current) => kill(current, place.environment, { keys: [key] }, killBy(author, current.now));
      return write(place, key, author, decide, "kill");
    },
    restore: (place, key, author) => write(place, key, author, restoring(place, { keys: [key] }, author)),
    async killAll(place, chosen, author) {
      const { may = ANYTHING } = author;
      const { info } = environmentIn(projectAt(store, place.project), place.environment);
      const decide: Decide = (current) =>
        kill(current, place.environment, chosen, killBy(author, current.now), ({ key }) => may("kill", info, key));
      return presentAll(place, chosen, await commit(place.project, place.environment, "", author, decide, "kill"));
    },
    async restoreAll(place, chosen, author) {
      const decide = restoring(place, chosen, author);
      return presentAll(place, chosen, await commit(place.project, place.environment, "", author, decide));
    },
    evaluate(place, key, context, patch) {
      const environment = environmentIn(projectAt(store, place.project), place.environment);
      const { entries } = environment.states.server;
      const flag = patch && findFlag(environment, key);
      const edited = flag && serverFlag({ ...flag, body: { ...flag.body, ...toStored(patch, newRuleId) } });
      return preview(entries, key, context, now(), edited);
    },
  };
}

function killBy({ by, reason }: FlagAuthor, at: number): NewKill {
  return { at, by, reason: reason ?? null };
}
