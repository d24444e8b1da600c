import { problem } from "../errors.ts";

/** Writes that wait for their turn. Past this the next one is refused (503), which is kinder than an answer after many seconds. */
export const WAITING_MAX = 1_000;

export interface WriteQueue {
  /** Runs `job` when all earlier ones have run; an urgent one (a kill) goes ahead of those that are not. */
  run<T>(job: () => T, urgent?: boolean): Promise<T>;
  /** Refuses what comes from now on and resolves when everything before has run. */
  close(): Promise<void>;
}

/** One writer: jobs are synchronous and run one at a time, each in a turn of its own, so that streams are served between them. */
export function createWriteQueue(): WriteQueue {
  const urgentJobs: (() => void)[] = [];
  const jobs: (() => void)[] = [];
  let scheduled = false;
  let closed: (() => void)[] | undefined;

  function next(): void {
    scheduled = false;
    const job = urgentJobs.shift() ?? jobs.shift();
    job?.();
    schedule();
  }
  function schedule(): void {
    if (urgentJobs.length + jobs.length > 0) {
      if (!scheduled) setImmediate(next);
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
        lane.push(() => {
          try {
            resolve(job());
          } catch (error) {
            reject(error);
          }
        });
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
