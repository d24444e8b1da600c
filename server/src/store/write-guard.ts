import { databaseProblem, type Problem, problem } from "../errors.ts";
import type { Log } from "../log.ts";
import { type Ballast, createBallast } from "./ballast.ts";
import { isConflict } from "./sql-state.ts";

/** The ballast is made this long after the start, when nobody waits for anything. */
const BALLAST_AFTER_MS = 1_000;

/** Stands between the queue and the file: what a write that SQLite refuses means for this write and for those after it. */
export interface WriteGuard {
  /**
   * Runs one write, in a transaction of its own. Throws a problem (503) when nothing can be written:
   * - a full disk: kills get the space of the ballast, all else is refused until there is space for the ballast again
   * - an error of the disk or a damaged file: everything is refused until the next start, since what the disk holds is not known
   * - the lock of another process: SQLITE_BUSY goes on to the queue, which tries again
   */
  run<T>(job: () => Promise<T>, urgent: boolean): Promise<T>;
  /** Why the next write that is no kill will most likely be refused; undefined when nothing is known to be wrong. */
  trouble(): string | undefined;
  close(): void;
}

/** `log` is told when there is no ballast after the start; that alone refuses nothing. */
export function createWriteGuard(directory: string, log?: Pick<Log, "warn">): WriteGuard {
  const ballast = createBallast(directory);
  /** SQLite has said so, since when there was no space for the ballast. */
  let isFull = false;
  let broken: Problem | undefined;
  const timer = setTimeout(() => {
    if (!restored(ballast)) log?.warn({ directory }, NO_BALLAST);
  }, BALLAST_AFTER_MS);
  timer.unref();

  async function attempt<T>(job: () => Promise<T>, urgent: boolean): Promise<T> {
    try {
      return await job();
    } catch (error) {
      if (codeOf(error) === "SQLITE_FULL") {
        isFull = true;
        if (urgent && ballast.release()) return await job();
      }
      if (BREAKING.test(codeOf(error))) broken = brokenProblem(error);
      throw error;
    }
  }

  return {
    async run(job, urgent) {
      if (broken) throw broken;
      if (isFull && !urgent) {
        if (!restored(ballast)) throw fullProblem();
        isFull = false;
      }
      try {
        return await attempt(job, urgent);
      } catch (error) {
        if (isBusy(error)) throw error;
        throw codeOf(error) === "SQLITE_FULL" ? fullProblem(error) : (broken ?? databaseProblem(error) ?? error);
      }
    },
    trouble: () => broken?.message ?? (isFull && !hasRoom(ballast) ? fullProblem().message : undefined),
    close() {
      clearTimeout(timer);
    },
  };
}

const NO_BALLAST =
  "The file ballast in the data folder, whose space is kept for kills, cannot be made: should the disk fill up, kills would not be stored either; make space there.";

/** After these nobody knows what of the file has reached the disk: trying again may seem to work and lose what was acknowledged. */
const BREAKING = /^SQLITE_(IOERR_(WRITE|FSYNC|DIR_FSYNC|TRUNCATE|CLOSE)|CORRUPT|NOTADB)/;

/** True when another process holds a lock of the database: trying again soon may help. */
export function isBusy(error: unknown): boolean {
  return /^SQLITE_(BUSY|LOCKED)/.test(codeOf(error)) || isConflict(error);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function restored(ballast: Ballast): boolean {
  try {
    return ballast.restore();
  } catch {
    return false; // the folder cannot be looked at: the next write will say why
  }
}

function hasRoom(ballast: Ballast): boolean {
  try {
    return ballast.hasRoom();
  } catch {
    return false; // as above
  }
}

function fullProblem(cause?: unknown): Problem {
  return problem(
    "UNAVAILABLE",
    "The disk of the data folder is full (SQLITE_FULL), so nothing was changed: make space there; until then only kills are stored, and flags are served as they are.",
    { cause, headers: { "retry-after": "5" } },
  );
}

function brokenProblem(cause: unknown): Problem {
  const code = codeOf(cause);
  const what = /CORRUPT|NOTADB/.test(code)
    ? `The database file is damaged (${code}), so nothing was changed and nothing more is written: stop Signalbox and put a backup of the data folder in its place`
    : `The disk of the data folder failed while it was written (${code}), so nothing was acknowledged and nothing more is written until Signalbox is started again: look after the disk first`;
  return problem("UNAVAILABLE", `${what}; flags are served as they are.`, { cause, headers: { "retry-after": "60" } });
}
