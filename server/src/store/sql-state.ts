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
