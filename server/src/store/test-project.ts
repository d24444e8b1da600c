import { ZERO64 } from "@signalbox/core";
import { expect } from "vitest";
import type { ProjectedState } from "../delivery/feed.ts";
import type { EnvironmentModel, ProjectModel } from "./model.ts";
import type { Current, Outcome } from "./outcome.ts";

/** What flags are told of usage where nothing is reported. */
export const NO_USAGE = { seen: () => null, perMinute: () => 0, hiddenAsked: () => null, samples: () => [] };

/** A project in memory for tests of decisions: development and production, as the first start makes them. */
export function emptyProject(): ProjectModel {
  return {
    id: 1,
    key: "default",
    name: "Default",
    description: "",
    version: 1,
    createdAt: 0,
    environments: [emptyEnvironment(1, "development"), emptyEnvironment(2, "production")],
  };
}

function emptyEnvironment(id: number, key: string): EnvironmentModel {
  const state = (): ProjectedState => ({ generation: 1, revision: 0, digest: ZERO64, factsAt: 0, entries: new Map() });
  const info = { id, key, name: key, production: key === "production", projectId: 1, projectKey: "default" };
  return {
    info,
    settings: { secureMode: false, signingVersion: 1, signingRetired: 0, privateAttributes: [], sampleContexts: false },
    color: "green",
    position: id,
    version: 1,
    generation: 1,
    revision: 0,
    flags: new Map(),
    groups: new Map(),
    states: { server: state(), browser: state() },
    factsAt: 0,
    factNumbers: new Map(),
    flagFacts: new Map(),
    bytes: { server: 0, browser: 0 },
  };
}

let id = 0;

export function currentOf(project: ProjectModel): Current {
  id += 1;
  return { project, now: 1_000 + id, by: "ann", newIds: { flag: id, group: id, environment: id + 1_000, project: id + 1_000 } };
}

/** Decides, demands that something changed, and answers with the project after it. */
export function after(project: ProjectModel, ...decisions: ((current: Current) => Outcome)[]): ProjectModel {
  return decisions.reduce((before, decide) => {
    const outcome = decide(currentOf(before));
    if (outcome.kind !== "changed") expect.fail(`expected a change, got ${JSON.stringify(outcome)}`);
    return outcome.applied.project;
  }, project);
}

/** The environment development of a project. */
export function development(project: ProjectModel): EnvironmentModel {
  const [environment] = project.environments;
  return environment ?? expect.fail("no environment");
}
