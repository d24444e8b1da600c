import { createHmac } from "node:crypto";
import type { EnvironmentModel } from "./model.ts";

/** A secret with which an app's own server signs the contexts of its pages. The whole text is the HMAC key. */
export interface SigningSecret {
  readonly version: number;
  readonly text: string;
}

/** How many hold at once, so that a secret can be replaced while pages still hold contexts that were signed with the one before. */
export const SIGNING_SECRETS_MAX = 2;

/** Derived from the data folder's secret, as SDK keys are: the database alone never holds them. Newest first. */
export function liveSigningSecrets(secret: Buffer, { info, settings }: Pick<EnvironmentModel, "info" | "settings">): SigningSecret[] {
  const { signingVersion, signingRetired } = settings;
  const live = Math.min(signingVersion - signingRetired, SIGNING_SECRETS_MAX);
  return Array.from({ length: Math.max(0, live) }, (_, index) => {
    const version = signingVersion - index;
    const mac = createHmac("sha256", secret).update(`signing:${info.id}:${version}`).digest("base64url");
    return { version, text: `sb_signing_${info.key}_${version}_${mac}` };
  });
}
