import type { Project } from "../api-types.ts";
import type { Access } from "../auth/access.ts";
import { inOrder } from "../environments/located.ts";
import { presentEnvironment } from "../environments/present.ts";
import type { ProjectModel } from "../store/model.ts";
import { projectEtag } from "./decide.ts";

export function presentProject(project: ProjectModel, access: Access): Project {
  const { key, name, description, environments } = project;
  return {
    key,
    name,
    description,
    flags: environments[0]?.flags.size ?? 0,
    etag: projectEtag(project),
    environments: inOrder(project).map((environment) => presentEnvironment(project, environment, access)),
    may: access.actions({ project: key }),
  };
}
