import { useQueryClient } from "@tanstack/react-query";
import type { EnvironmentSettings, PatchSettings, SettingsWritten } from "../../../src/api-types.ts";
import { ApiError, call } from "../api.ts";
import { type Place, pathOf, settingsQuery, signingSecretsQuery } from "../queries.ts";
import { announceChange, sayProblem } from "../undo.tsx";

/** Writes of the settings of an environment. What is refused is told on the page, with the settings as they are now. */
export function useSettingsActions(place: Place) {
  const client = useQueryClient();
  const { queryKey } = settingsQuery(place);

  async function write(method: "PATCH" | "POST", path: string, ifMatch: string, body?: PatchSettings): Promise<EnvironmentSettings> {
    try {
      const { settings } = await call<SettingsWritten>(method, `${pathOf(place)}/${path}`, { ifMatch, ...(body && { body }) });
      client.setQueryData(queryKey, settings);
      return settings;
    } catch (error) {
      if (error instanceof ApiError && error.status === 412) await client.invalidateQueries({ queryKey });
      throw error;
    }
  }

  /** Saves, and offers to write back what was there. False when it was refused. */
  async function save(settings: EnvironmentSettings, patch: PatchSettings, title: string): Promise<boolean> {
    const back = Object.fromEntries(Object.keys(patch).map((field) => [field, settings[field as keyof PatchSettings]])) as PatchSettings;
    try {
      const saved = await write("PATCH", "settings", settings.etag, patch);
      announceChange({ title, undo: () => write("PATCH", "settings", saved.etag, back) });
      return true;
    } catch (error) {
      sayProblem("Not saved", error);
      return false;
    }
  }

  /** Neither can be undone: a secret that is made is there, and one that is retired stays so. */
  async function secret(settings: EnvironmentSettings, step: "rotate" | "retire-old", title: string): Promise<boolean> {
    try {
      await write("POST", `signing-secret/${step}`, settings.etag);
      announceChange({ title });
      await client.invalidateQueries({ queryKey: signingSecretsQuery(place).queryKey });
      return true;
    } catch (error) {
      sayProblem("Nothing was changed", error);
      return false;
    }
  }

  return { save, secret };
}
