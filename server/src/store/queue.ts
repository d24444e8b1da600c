import { databaseProblem, problem } from "../errors.ts";
import { isBusy } from "./write-guard.ts";

/** Writes that wait for their turn. Past this the next one is refused (503), which is kinder than an answer after many seconds. */
export const WAITING_MAX = 1_000;

/** How long a write waits for another process's lock on the file, and how often it looks. */
export const BUSY_MS_MAX = 5_000;
const BUSY_RETRY_MS = 50;

export interface WriteQueue {
  /**
   * Runs `job` when all earlier ones have run; an urgent one (a kill) goes ahead of those that are not. One that fails because another
   * process holds the lock is tried again, without holding up anything but the writes behind it, until it has waited 5 s.
   */
  run<T>(job: () => T, urgent?: boolean): Promise<T>;
  /** Refuses what comes from now on and resolves when everything before has run. */
  close(): Promise<void>;
}

type Outcome = "done" | "again";

/** One writer: jobs are synchronous and run one at a time, each in a turn of its own, so that streams are served between them. */
export function createWriteQueue(): WriteQueue {
  const urgentJobs: (() => Outcome)[] = [];
  const jobs: (() => Outcome)[] = [];
  let scheduled = false;
  let closed: (() => void)[] | undefined;

  function next(): void {
    scheduled = false;
    const job = urgentJobs.shift() ?? jobs.shift();
    schedule(job?.() === "again" ? BUSY_RETRY_MS : 0);
  }
  function schedule(afterMs = 0): void {
    if (urgentJobs.length + jobs.length > 0) {
      if (!scheduled) {
        if (afterMs > 0) setTimeout(next, afterMs);
        else setImmediate(next);
      }
      scheduled = true;
    } else if (!scheduled) {
      for (const resolve of closed ?? []) resolve();
    }
  }

  return {
    run(job, urgent = false) {
      return new Promise((resolve, reject) => {
        if (closed)
          throw problem("UNAVAILABLE", "The server is stopping; try again in a few seconds.", { headers: { "retry-after": "5" } });
        // Kills are bounded too, but by a limit of their own: a flood of other writes must not keep one out.
        const lane = urgent ? urgentJobs : jobs;
        if (lane.length >= WAITING_MAX) {
          throw problem("OVERLOADED", `${WAITING_MAX} writes are waiting already, the most that may; try again in a few seconds.`, {
            headers: { "retry-after": "2" },
          });
        }
        const until = performance.now() + BUSY_MS_MAX;
        const attempt = (): Outcome => {
          try {
            resolve(job());
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
