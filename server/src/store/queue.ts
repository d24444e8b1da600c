import { databaseProblem, problem } from "../errors.ts";
import { TURN_MS, type Turn } from "../turns.ts";
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
   * `turn` lets streams and requests go on after 10 ms of work. If a kill waits by then it throws: the transaction is undone, the kill
   * goes, and the job runs once more, so that no kill waits behind 100,000 rows. Ten times at most, then the job is refused (503).
   */
  run<T>(job: (turn: Turn) => T | Promise<T>, lane?: Lane): Promise<T>;
  /** Refuses what comes from now on and resolves when everything before has run. */
  close(): Promise<void>;
}

type Outcome = "done" | "again" | "gave way";

/** How often a write of many rows lets kills go first. */
const GIVE_WAY_MAX = 10;

/** Undoes the transaction of a long write because a kill waits. Nobody but the queue sees it. */
class GaveWay extends Error {}

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
  function turnOf(lane: Lane): Turn {
    let since = performance.now();
    return () => {
      if (performance.now() - since < TURN_MS) return undefined;
      return new Promise((resolve, reject) => {
        setImmediate(() => {
          since = performance.now();
          if (lane !== "kill" && lanes.kill.length > 0) reject(new GaveWay());
          else resolve();
        });
      });
    };
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
        let gaveWay = 0;
        const attempt = async (): Promise<Outcome> => {
          try {
            resolve(await job(turnOf(name)));
          } catch (error) {
            if (error instanceof GaveWay) {
              gaveWay += 1;
              if (gaveWay < GIVE_WAY_MAX) {
                lane.unshift(attempt);
                return "gave way";
              }
              reject(
                problem("OVERLOADED", `This long write let ${gaveWay} kills go first and was not stored; try again when there are fewer.`, {
                  headers: { "retry-after": "10" },
                }),
              );
              return "done";
            }
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
