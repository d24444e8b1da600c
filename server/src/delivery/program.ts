import type { Projection } from "@signalbox/core";
import type { EnvironmentInfo, SdkKeyInfo } from "./feed.ts";

/** What a program says of itself when it connects or polls. Names are for people to read, nothing depends on their being true. */
export interface Program {
  readonly instance: string;
  readonly app: string;
  readonly appVersion: string | null;
  readonly sdk: string;
  readonly host: string | null;
  readonly kind: Projection;
  readonly environment: EnvironmentInfo;
  /** With which key it came. */
  readonly sdkKeyId: number;
  /**
   * What it acknowledges. `all`: every revision, by its own word; `kills`: older SDKs; `none`: it did not name its instance, so it could
   * not even say who acknowledges.
   */
  readonly acks: "all" | "kills" | "none";
}

/** Reads the query of `stream` and `state`. A name that is too long or not clean is mended, not refused: no program goes without its flags for it. */
export function readProgram(
  query: URLSearchParams,
  { id: sdkKeyId, environment, projection: kind }: SdkKeyInfo,
): Omit<Program, "instance"> & { instance: string | undefined } {
  const instance = named(query.get("instance"), 64);
  return {
    instance,
    app: named(query.get("app"), 100) ?? "unnamed",
    appVersion: named(query.get("appVersion"), 50) ?? null,
    sdk: named(query.get("sdk"), 50) ?? "unknown",
    host: named(query.get("host"), 100) ?? null,
    kind,
    environment,
    sdkKeyId,
    acks: instance === undefined ? "none" : query.get("acks") === "all" ? "all" : "kills",
  };
}

function named(text: string | null, charactersMax: number): string | undefined {
  if (text === null) return undefined;
  // biome's rule against control characters in patterns does not apply to \p{Cc}.
  const clean = text
    .replace(/\p{Cc}+/gu, " ")
    .trim()
    .slice(0, charactersMax);
  return clean === "" ? undefined : clean;
}
