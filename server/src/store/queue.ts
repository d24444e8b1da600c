import { databaseProblem, problem } from "../errors.ts";
import { isBusy } from "./write-guard.ts";

/** Writes that wait for their turn. Past this the next one is refused (503), which is kinder than an answer after many seconds. */
export const WAITING_MAX = 1_000;

/** How long a write waits for another process's lock on the file, and how often it looks. */
export const BUSY_MS_MAX = 5_000;
const BUSY_RETRY_MS = 50;

/** A kill goes ahead of every edit, and an edit ahead of those who join and leave, who come in floods. */
export type Lane = "kill" | "edit" | "join";

export interface WriteQueue {
  /**
   * Runs `job` when all earlier ones of its lane have run, and all of the lanes above it. One that fails because another process holds
   * the lock is tried again, without holding up anything but the writes behind it, until it has waited 5 s.
   */
  run<T>(job: () => T | Promise<T>, lane?: Lane): Promise<T>;
  /** Refuses what comes from now on and resolves when everything before has run. */
  close(): Promise<void>;
}

type Outcome = "done" | "again";

/** One writer: jobs run one at a time, each in a turn of its own, so that streams are served between them. */
export function createWriteQueue(): WriteQueue {
  const lanes: Readonly<Record<Lane, (() => Promise<Outcome>)[]>> = { kill: [], edit: [], join: [] };
  /** Also while a job runs. */
  let scheduled = false;
  let closed: (() => void)[] | undefined;

  async function next(): Promise<void> {
    const job = lanes.kill.shift() ?? lanes.edit.shift() ?? lanes.join.shift();
    const outcome = await job?.();
    scheduled = false;
    schedule(outcome === "again" ? BUSY_RETRY_MS : 0);
  }
  function schedule(afterMs = 0): void {
    if (lanes.kill.length + lanes.edit.length + lanes.join.length > 0) {
      if (!scheduled) {
        if (afterMs > 0) setTimeout(() => void next(), afterMs);
        else setImmediate(() => void next());
      }
      scheduled = true;
    } else if (!scheduled) {
      for (const resolve of closed ?? []) resolve();
    }
  }

  return {
    run(job, name = "edit") {
      return new Promise((resolve, reject) => {
        if (closed)
          throw problem("UNAVAILABLE", "The server is stopping; try again in a few seconds.", { headers: { "retry-after": "5" } });
        // Kills are bounded too, but by a limit of their own: a flood of other writes must not keep one out.
        const lane = lanes[name];
        if (lane.length >= WAITING_MAX) {
          throw problem("OVERLOADED", `${WAITING_MAX} writes are waiting already, the most that may; try again in a few seconds.`, {
            headers: { "retry-after": "2" },
          });
        }
        const until = performance.now() + BUSY_MS_MAX;
        const attempt = async (): Promise<Outcome> => {
          try {
            resolve(await job());
          } catch (error) {
            if (isBusy(error) && performance.now() < until) {
              lane.unshift(attempt);
              return "again";
            }
            reject(databaseProblem(error) ?? error);
          }
          return "done";
        };
        lane.push(attempt);
        schedule();
      });
    },
    close() {
      return new Promise((resolve) => {
        closed = [...(closed ?? []), resolve];
        schedule();
      });
    },
  };
}
