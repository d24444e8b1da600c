import { figure } from "./table.ts";

/** At most this: of a ratio to the floor of the same run, or of the figure itself in its unit. `least` turns it around. */
export interface DeliveryGoal {
  readonly must: number;
  readonly unit: "× floor" | "ms" | "kB" | "s" | "MB" | "× alone";
  readonly least?: boolean;
}

export const deliveryGoals = {
  "broadcast-last": { must: 1.2, unit: "× floor" },
  "broadcast-first": { must: 2, unit: "× floor" },
  "rss-per-stream": { must: 13, unit: "kB" },
  "slow-readers-p99": { must: 1.2, unit: "× alone" },
  "slow-readers-memory": { must: 64, unit: "MB" },
  "kill-1-p50": { must: 1, unit: "ms" },
  "kill-1-p99": { must: 5, unit: "ms" },
  "kill-10000-last": { must: 100, unit: "ms" },
  "kill-100-sdks": { must: 500, unit: "ms" },
  "state-200": { must: 0.9, unit: "× floor", least: true },
  "state-304": { must: 0.9, unit: "× floor", least: true },
  "storm-converged": { must: 60, unit: "s" },
  "storm-admin-p99": { must: 500, unit: "ms" },
  "toggle-p50": { must: 1, unit: "ms" },
  "toggle-p99": { must: 3, unit: "ms" },
  "list-5000": { must: 20, unit: "ms" },
  "start-5000": { must: 500, unit: "ms" },
  "idle-rss": { must: 100, unit: "MB" },
  "import-5000-block": { must: 500, unit: "ms" },
} as const satisfies Record<string, DeliveryGoal>;

/** "broadcast-last: 1.10 × floor, must be at most 1.2: reached". */
export function verdict(name: string, value: number, { must, unit, least }: DeliveryGoal): string {
  const reached = least ? value >= must : value <= must;
  return `${name}: ${figure(value)} ${unit}, must be at ${least ? "least" : "most"} ${must}: ${reached ? "reached" : "NOT YET"}`;
}
