import { type Problem, problem } from "../errors.ts";

/**
 * What an error of PostgreSQL, or of the connection to it, means: its SQLSTATE (five letters and digits), or the name that Node or the driver
 * gives to a lost connection. Empty for every other error. The driver's error may be the cause of another one.
 */
export function sqlStateOf(error: unknown): string {
  for (let each = error, depth = 0; each instanceof Error && depth < 5; each = each.cause, depth += 1) {
    if ("code" in each && typeof each.code === "string" && (SQLSTATE.test(each.code) || LOST.test(each.code))) return each.code;
  }
  return "";
}

const SQLSTATE = /^[0-9A-Z]{5}$/;
/** Of the driver, and of Node's sockets and resolver. */
const LOST = /^(CONNECTION_(CLOSED|ENDED|DESTROYED|REFUSED)|CONNECT_TIMEOUT|ECONN\w+|EPIPE|ETIMEDOUT|EHOST\w+|ENET\w+|ENOTFOUND|EAI_\w+)$/;

/** Whether the connection was lost: then nothing more is known of what was sent over it. */
export function isLost(error: unknown): boolean {
  // 08: connection; 57P01 to 57P05: the server ends it, because it stops, has crashed or is starting.
  return LOST.test(sqlStateOf(error)) || /^(08...|57P0[1-5])$/.test(sqlStateOf(error));
}

/**
 * Whether the same transaction may go through if it is tried again at once: a deadlock, a lock that was not given in time, or a row that another
 * process has made a moment ago.
 */
export function isConflict(error: unknown): boolean {
  return /^(40001|40P01|55P03|23505)$/.test(sqlStateOf(error));
}

/** The connection was lost between COMMIT and its answer. */
export class UnknownOutcome extends Error {}

/** The answer to somebody whose request needed the database; undefined for every error that is none of its state. */
export function postgresProblem(error: unknown): Problem | undefined {
  if (error instanceof UnknownOutcome) {
    return unavailable(
      "The connection to the database was lost while the change was being stored, so whether it was is not known yet: look at it again before you repeat it",
      error,
    );
  }
  const state = sqlStateOf(error);
  if (isLost(error)) return unavailable(`The database cannot be reached (${state}), so nothing was changed: try again in a moment`, error);
  if (isConflict(error))
    return unavailable(`Others were writing to the same rows (${state}), so nothing was changed: try again in a moment`, error);
  // 53: disk full, out of memory, too many connections; 57014: it took too long; 58: an error of its disk; 25006: a standby or read-only.
  if (/^(53...|57014|58...|25006|XX00[12])$/.test(state)) {
    return unavailable(`The database cannot store anything just now (${state}), so nothing was changed: look after its server`, error);
  }
  return undefined;
}

function unavailable(what: string, cause: unknown): Problem {
  return problem("UNAVAILABLE", `${what}; flags are served as they are.`, { cause, headers: { "retry-after": "2" } });
}
