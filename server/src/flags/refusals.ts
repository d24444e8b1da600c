import { browserObstacles, checkFlag, dependents } from "@signalbox/core";
import type { Issue } from "../errors.ts";
import type { EnvironmentModel } from "../store/model.ts";
import { browserFlag, browserView, serverFlag } from "../store/project.ts";

/**
 * Why an environment may not become `after`. `edited` are the flags whose configuration is being saved: they must be right in
 * every respect. All other flags that the edit reaches (through a requirement, a parent or a group) must not get worse: a
 * problem that they had before does not stop others from working.
 */
export function refusals(
  before: EnvironmentModel,
  after: EnvironmentModel,
  edited: readonly string[],
  reached: readonly string[],
): Issue[] {
  const own = edited.flatMap((key) => issuesOf(after, key));
  const others = [...new Set([...reached, ...edited.flatMap((key) => dependents(key, after.states.server.entries))])];
  const collateral = others
    .filter((key) => !edited.includes(key))
    .flatMap((key) => {
      const had = new Set(issuesOf(before, key).map(({ message }) => message));
      return issuesOf(after, key)
        .filter(({ message }) => !had.has(message))
        .map(({ path, message }) => ({ path: `flags.${key}${path && `.${path}`}`, message: `flag "${key}": ${message}` }));
    });
  return [...own, ...collateral];
}

/** The keys of the flags that are marked for browsers. */
export type Marked = ReadonlySet<string>;

/** What the rules of the model say against a flag as it is in this environment. `marked` saves looking at all flags for each of many. */
export function issuesOf(environment: EnvironmentModel, key: string, marked?: Marked): Issue[] {
  const flag = environment.flags.get(key);
  if (!flag) return [];
  const { entries } = environment.states.server;
  const issues: Issue[] = [...checkFlag(serverFlag(flag), entries).problems];
  if (!flag.body.browser) return issues;
  const obstacles = obstaclesOf(environment, key, marked);
  return [...issues, ...obstacles.map((message) => ({ path: "browser", message }))];
}

/** Why browsers could not see this flag, whether it is marked or not; empty when they can. */
export function obstaclesOf(environment: EnvironmentModel, key: string, marked = markedFlags(environment)): string[] {
  const flag = environment.flags.get(key);
  if (!flag) return [];
  const obstacles = browserObstacles(serverFlag(flag), environment.states.server.entries, marked);
  // The projection decides by itself what may leave; a marked flag must never be missing from it without a word.
  // A flag that cannot be saved anyway (a group that is not there) is missing from it for a reason that is told already.
  const isWhole = obstacles.length === 0 && checkFlag(serverFlag(flag), environment.states.server.entries).problems.length === 0;
  if (isWhole && !browserFlag({ ...flag, body: { ...flag.body, browser: true } }, browserView(environment))) {
    return ["with its groups written out, the conditions of a rule are too large for browsers; use fewer groups in groups"];
  }
  return obstacles;
}

export function markedFlags(environment: Pick<EnvironmentModel, "flags">): Marked {
  return new Set([...environment.flags.values()].filter(({ body }) => body.browser).map(({ identity }) => identity.key));
}
