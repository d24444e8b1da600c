import { type Acknowledgement, isNewer, type Position, type Projection } from "@signalbox/core";
import type { Clock } from "./clock.ts";
import type { EnvironmentInfo } from "./feed.ts";

/** A running program, as it named itself when it connected. */
export interface Instance {
  readonly instance: string;
  readonly app: string;
  readonly sdk: string;
  readonly kind: Projection;
  readonly environment: EnvironmentInfo;
  readonly connectedAt: number;
  /** What it holds for certain: the position it connected with, or the newest one that it acknowledged. */
  readonly position: Position | undefined;
  /** The newest revision that it acknowledged. */
  readonly acknowledged: Position | undefined;
}

export interface Arrival {
  readonly instance: string;
  readonly app: string;
  readonly sdk: string;
  readonly kind: Projection;
  readonly environment: EnvironmentInfo;
  readonly basis: Position | undefined;
}

export type InstanceEvent =
  /** Connected while it was not, or connected once more: `instance.position` is what it came with. */
  | { readonly kind: "joined"; readonly instance: Instance; readonly connected: number }
  | { readonly kind: "left"; readonly instance: Instance; readonly connected: number }
  | { readonly kind: "acknowledged"; readonly instance: Instance; readonly position: Position };

/**
 * The programs that are connected now. An instance that connects again before its old connection is seen to close is one
 * instance; it leaves when its last connection closes. Bounded by the number of open streams.
 */
export interface Instances {
  join(arrival: Arrival): () => void;
  /** False when no such program is connected: a late acknowledgement, nothing is kept of it. */
  acknowledge(environmentId: number, acknowledgement: Acknowledgement): boolean;
  connected(environmentId: number): readonly Instance[];
  listen(listener: (event: InstanceEvent) => void): () => void;
}

interface Entry extends Instance {
  connections: number;
  position: Position | undefined;
  acknowledged: Position | undefined;
}

export function createInstances(clock: Clock): Instances {
  const environments = new Map<number, Map<string, Entry>>();
  const listeners = new Set<(event: InstanceEvent) => void>();
  const tell = (event: InstanceEvent) => {
    for (const listener of listeners) listener(event);
  };

  return {
    join({ basis, ...arrival }) {
      const id = arrival.environment.id;
      const present = environments.get(id) ?? new Map<string, Entry>();
      environments.set(id, present);
      const before = present.get(arrival.instance);
      const entry: Entry = {
        ...arrival,
        connectedAt: clock.now(),
        connections: (before?.connections ?? 0) + 1,
        position: basis,
        acknowledged: before?.acknowledged,
      };
      present.set(arrival.instance, entry);
      tell({ kind: "joined", instance: entry, connected: present.size });
      let left = false;
      return () => {
        if (left) return;
        left = true;
        const now = present.get(arrival.instance);
        if (!now) return;
        now.connections -= 1;
        if (now.connections > 0) return;
        present.delete(arrival.instance);
        tell({ kind: "left", instance: now, connected: present.size });
      };
    },
    acknowledge(environmentId, { instance, generation, revision }) {
      const entry = environments.get(environmentId)?.get(instance);
      if (!entry) return false;
      const position = { generation, revision };
      if (!entry.acknowledged || !isNewer(entry.acknowledged, position)) {
        entry.acknowledged = position;
        entry.position = position;
      }
      tell({ kind: "acknowledged", instance: entry, position });
      return true;
    },
    connected: (environmentId) => [...(environments.get(environmentId)?.values() ?? [])],
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
