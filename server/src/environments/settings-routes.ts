import type { OpenAPIHono } from "@hono/zod-openapi";
import type { EnvironmentSettings } from "../api-types.ts";
import { problem } from "../errors.ts";
import { type ApiEnv, answer, apiRoute, authorOf, body, createApi } from "../http/route.ts";
import type { EnvironmentModel } from "../store/model.ts";
import type { Author } from "../store/origin.ts";
import type { Current, Outcome } from "../store/outcome.ts";
import type { Store } from "../store/store.ts";
import { environmentIn, problemOf, projectAt } from "./located.ts";
import { ENVIRONMENT, environmentParams, ifMatchHeader } from "./params.ts";
import * as shapes from "./schema.ts";
import { patchSettings, retireOldSigningSecret, rotateSigningSecret, settingsEtag } from "./settings.ts";

const written = { 200: answer(shapes.settingsWritten, "the settings as they are now, and the revision") };

const getRoute = apiRoute("read", {
  method: "get",
  path: `${ENVIRONMENT}/settings`,
  summary: "Settings of the environment",
  request: { params: environmentParams },
  responses: { 200: answer(shapes.settings, "the settings") },
});
const patchRoute = apiRoute("admin", {
  method: "patch",
  path: `${ENVIRONMENT}/settings`,
  summary: "Changes secure mode, private attributes, sampling",
  request: { params: environmentParams, headers: ifMatchHeader, body: body(shapes.patchSettings) },
  responses: written,
});
const secretsRoute = apiRoute("admin", {
  method: "get",
  path: `${ENVIRONMENT}/signing-secret`,
  summary: "The secrets that contexts of browsers are signed with",
  request: { params: environmentParams },
  responses: { 200: answer(shapes.signingSecrets, "those that hold now, newest first") },
});
const rotateRoute = apiRoute("admin", {
  method: "post",
  path: `${ENVIRONMENT}/signing-secret/rotate`,
  summary: "Makes a new signing secret; the one before holds until it is retired",
  request: { params: environmentParams, headers: ifMatchHeader },
  responses: written,
});
const retireRoute = apiRoute("admin", {
  method: "post",
  path: `${ENVIRONMENT}/signing-secret/retire-old`,
  summary: "From now on only the newest signing secret holds",
  request: { params: environmentParams, headers: ifMatchHeader },
  responses: written,
});

/** The settings of an environment. A write makes a revision, because private attributes change what browsers see. */
export function settingsRoutes({ store }: { readonly store: Store }): OpenAPIHono<ApiEnv> {
  const api = createApi();
  const at = (place: Place) => environmentIn(projectAt(store, place.project), place.environment);

  async function write(place: Place, author: Author, decide: (current: Current) => Outcome) {
    at(place);
    const { outcome, project } = await store.write({ ...author, project: place.project }, decide);
    const environment = environmentIn(project, place.environment);
    const settings = settingsOf(environment);
    if (outcome.kind === "conflict") {
      const detail = `The settings of ${place.environment} were changed in the meantime; look at them as they are now and save again.`;
      throw problem("ETAG_MISMATCH", detail, { current: settings, headers: { etag: settings.etag } });
    }
    if (outcome.kind === "missing" || outcome.kind === "invalid") throw problemOf(outcome);
    return { settings, revision: environment.revision, changed: outcome.kind === "changed" };
  }

  api.openapi(getRoute, (c) => {
    const settings = settingsOf(at(c.req.valid("param")));
    c.header("etag", settings.etag);
    return c.json(settings, 200);
  });
  api.openapi(patchRoute, async (c) => {
    const place = c.req.valid("param");
    const patch = c.req.valid("json");
    const ifMatch = c.req.valid("header")["if-match"];
    const result = await write(place, authorOf(c), (current) => patchSettings(current, place.environment, patch, ifMatch));
    c.header("etag", result.settings.etag);
    return c.json(result, 200);
  });
  api.openapi(secretsRoute, (c) => {
    const { info } = at(c.req.valid("param"));
    if (!store.sdkKeys.isOwnSecret(info.id)) {
      throw problem(
        "UNAVAILABLE",
        "The signing secrets cannot be shown: secret.key in the data folder is not the one that they were made with; put it back from the backup.",
      );
    }
    return c.json({ secrets: store.signingSecrets(info.id).map(({ version, text }) => ({ version, secret: text })) }, 200);
  });
  for (const [route, decide] of [
    [rotateRoute, rotateSigningSecret],
    [retireRoute, retireOldSigningSecret],
  ] as const) {
    api.openapi(route, async (c) => {
      const place = c.req.valid("param");
      const ifMatch = c.req.valid("header")["if-match"];
      const result = await write(place, authorOf(c), (current) => decide(current, place.environment, ifMatch));
      c.header("etag", result.settings.etag);
      return c.json(result, 200);
    });
  }
  return api;
}

interface Place {
  readonly project: string;
  readonly environment: string;
}

function settingsOf(environment: EnvironmentModel): EnvironmentSettings {
  const { secureMode, privateAttributes, sampleContexts, signingVersion, signingRetired } = environment.settings;
  return {
    environment: environment.info.key,
    secureMode,
    privateAttributes: [...privateAttributes],
    sampleContexts,
    signingSecret: { version: signingVersion, oldHolds: signingVersion - signingRetired > 1 },
    etag: settingsEtag(environment),
  };
}
