import { promisify } from "node:util";
import { gzip as gzipCallback } from "node:zlib";
import { formatPosition, type Position, type Projection, type SnapshotFrame } from "@signalbox/core";
import type { EnvironmentInfo, Feed, ProjectedState } from "./feed.ts";

const gzip = promisify(gzipCallback);

/** The whole state of a projection at one position, as bytes that all readers share. */
export interface StateBytes {
  readonly position: Position;
  /** `"generation.revision"`, quoted. */
  readonly etag: string;
  readonly json: Buffer<ArrayBuffer>;
  /** Compressed once, when first asked for. */
  gzip(): Promise<Buffer<ArrayBuffer>>;
}

export interface States {
  /** The bytes of the head. Kept for the head only: one state for each environment and projection. */
  head(environment: EnvironmentInfo, projection: Projection): StateBytes;
}

export function createStates(feed: Feed): States {
  const kept: Record<Projection, Map<number, { state: ProjectedState; bytes: StateBytes }>> = { server: new Map(), browser: new Map() };
  return {
    head(environment, projection) {
      const state = feed.state(environment.id, projection);
      const known = kept[projection].get(environment.id);
      // States are immutable, so the same one has the same bytes.
      if (known?.state === state) return known.bytes;
      const bytes = stateBytes(environment, state);
      kept[projection].set(environment.id, { state, bytes });
      return bytes;
    },
  };
}

function stateBytes(environment: EnvironmentInfo, state: ProjectedState): StateBytes {
  const { generation, revision, digest, factsAt } = state;
  const snapshot: SnapshotFrame = {
    generation,
    revision,
    digest,
    factsAt,
    environment: environment.key,
    project: environment.projectKey,
    entries: [...state.entries.values()],
  };
  const json = Buffer.from(JSON.stringify(snapshot));
  let compressed: Promise<Buffer<ArrayBuffer>> | undefined;
  return {
    position: { generation, revision },
    etag: `"${formatPosition(state)}"`,
    json,
    gzip() {
      compressed ??= gzip(json);
      return compressed;
    },
  };
}

/** Whether `If-None-Match` names this ETag; a proxy may have made it weak. */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  if (header === etag) return true;
  return header.split(",").some((candidate) => {
    const trimmed = candidate.trim();
    return trimmed === "*" || trimmed.replace(/^W\//, "") === etag;
  });
}

/** Whether `Accept-Encoding` admits gzip. */
export function acceptsGzip(header: string | undefined): boolean {
  if (header === undefined) return false;
  return header.split(",").some((part) => {
    const [name, ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    return (name === "gzip" || name === "*") && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}
