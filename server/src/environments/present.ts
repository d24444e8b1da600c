import type { Environment } from "../api-types.ts";
import type { Access } from "../auth/access.ts";
import type { EnvironmentModel, ProjectModel } from "../store/model.ts";
import { environmentEtag } from "./decide.ts";

export function presentEnvironment({ key: project }: ProjectModel, environment: EnvironmentModel, access: Access): Environment {
  const { info, color, generation, revision } = environment;
  const { key, name, production } = info;
  const may = access.actions({ project, environment: key });
  return { key, name, production, color, etag: environmentEtag(environment), generation, revision, may };
}
