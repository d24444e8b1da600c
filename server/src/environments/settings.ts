import { createHash } from "node:crypto";
import { applyEdits, type Edit } from "../store/edit.ts";
import { canonicalJson, sameJson } from "../store/fingerprint.ts";
import { type EnvironmentModel, type EnvironmentSettings, findEnvironment } from "../store/model.ts";
import { type Current, guard, type Outcome } from "../store/outcome.ts";
import { SIGNING_SECRETS_MAX } from "../store/signing.ts";

/** What may become of the settings of an environment: pure functions of the committed state and the request. */

export interface SettingsPatch {
  readonly secureMode?: boolean | undefined;
  readonly privateAttributes?: readonly string[] | undefined;
  readonly sampleContexts?: boolean | undefined;
}

/** Of all settings, the signing secrets' versions included: one that was replaced meanwhile is not replaced again by a second press. */
export function settingsEtag({ info, settings }: Pick<EnvironmentModel, "info" | "settings">): string {
  return `"s${info.id}-${createHash("sha256").update(canonicalJson(settings)).digest("hex").slice(0, 16)}"`;
}

export function patchSettings(current: Current, environmentKey: string, patch: SettingsPatch, ifMatch: string | undefined): Outcome {
  return change(current, environmentKey, ifMatch, "environment.settings", (settings) => ({
    ...settings,
    secureMode: patch.secureMode ?? settings.secureMode,
    privateAttributes: patch.privateAttributes ? [...new Set(patch.privateAttributes)].sort() : settings.privateAttributes,
    sampleContexts: patch.sampleContexts ?? settings.sampleContexts,
  }));
}

/** A new secret beside the one that holds. Refused while two hold: pages may still use the older one. */
export function rotateSigningSecret(current: Current, environmentKey: string, ifMatch: string | undefined): Outcome {
  return change(current, environmentKey, ifMatch, "environment.signing-secret.rotate", (settings) => {
    const { signingVersion, signingRetired } = settings;
    if (signingVersion - signingRetired >= SIGNING_SECRETS_MAX) {
      const detail = `Signing secrets ${signingVersion} and ${signingVersion - 1} hold already, and ${SIGNING_SECRETS_MAX} is the most; retire the old one first, when your servers sign with number ${signingVersion}.`;
      return { kind: "invalid", code: "CONFLICT", detail };
    }
    return { ...settings, signingVersion: signingVersion + 1 };
  });
}

/** Only the newest secret holds afterwards. */
export function retireOldSigningSecret(current: Current, environmentKey: string, ifMatch: string | undefined): Outcome {
  return change(current, environmentKey, ifMatch, "environment.signing-secret.retire-old", (settings) => ({
    ...settings,
    signingRetired: settings.signingVersion - 1,
  }));
}

function change(
  { project }: Current,
  environmentKey: string,
  ifMatch: string | undefined,
  action: string,
  edit: (settings: EnvironmentSettings) => EnvironmentSettings | Extract<Outcome, { kind: "invalid" }>,
): Outcome {
  const environment = findEnvironment(project, environmentKey);
  if (!environment) {
    return {
      kind: "missing",
      code: "ENVIRONMENT_NOT_FOUND",
      detail: `The project "${project.key}" has no environment "${environmentKey}".`,
    };
  }
  const stopped = guard(ifMatch, settingsEtag(environment), environment.info.production);
  if (stopped) return stopped;
  const settings = edit(environment.settings);
  if ("kind" in settings) return settings;
  if (sameJson(settings, environment.settings)) return { kind: "unchanged" };
  const edits: Edit[] = [{ kind: "settings", environmentId: environment.info.id, settings }];
  const told = ({ privateAttributes, ...rest }: EnvironmentSettings) => ({ ...rest, privateAttributes: [...privateAttributes] });
  return {
    kind: "changed",
    action,
    target: environmentKey,
    edits,
    applied: applyEdits(project, edits),
    before: told(environment.settings),
    after: told(settings),
  };
}
