/** Every answer that is not a success: one catalogue, one body (problem+json), one place that decides what may be told. */

import { isConflict, isLost, sqlStateOf, UnknownOutcome } from "./store/sql-state.ts";

/** Code, HTTP status and title. A title never changes with the case; the detail names the value, the rule and the next step. */
export const CATALOGUE = {
  VALIDATION_FAILED: { status: 400, title: "The request does not have the expected form" },
  MALFORMED_JSON: { status: 400, title: "The body is not valid JSON" },
  BAD_REQUEST: { status: 400, title: "The request cannot be understood" },
  UNAUTHENTICATED: { status: 401, title: "Nobody is signed in" },
  TOKEN_INVALID: { status: 401, title: "The token is not valid" },
  SIGN_IN_FAILED: { status: 401, title: "Signing in failed" },
  SDK_KEY_MISSING: { status: 401, title: "The SDK key is missing" },
  SDK_KEY_INVALID: { status: 401, title: "The SDK key is not known" },
  FORBIDDEN: { status: 403, title: "This is not allowed" },
  CROSS_ORIGIN: { status: 403, title: "The request came from another origin" },
  PASSWORD_WRONG: { status: 403, title: "The password is wrong" },
  INVITATION_INVALID: { status: 403, title: "The invitation does not hold" },
  SETUP_TOKEN_WRONG: { status: 403, title: "The setup token is not valid" },
  SDK_KEY_LEAKED: { status: 403, title: "A server SDK key was sent from a page" },
  SDK_KEY_KIND: { status: 403, title: "This kind of SDK key may not do this" },
  SDK_KEY_ORIGIN: { status: 403, title: "The SDK key is not for pages of this origin" },
  SIGNED_CONTEXT_INVALID: { status: 403, title: "The signed context is not valid" },
  SIGNED_CONTEXT_EXPIRED: { status: 403, title: "The signed context has ended" },
  SIGNED_CONTEXT_NEEDED: { status: 403, title: "A signed context is needed" },
  NOT_FOUND: { status: 404, title: "Not found" },
  ROUTE_NOT_FOUND: { status: 404, title: "There is no such route" },
  PROJECT_NOT_FOUND: { status: 404, title: "There is no such project" },
  ENVIRONMENT_NOT_FOUND: { status: 404, title: "There is no such environment" },
  FLAG_NOT_FOUND: { status: 404, title: "There is no such flag" },
  GROUP_NOT_FOUND: { status: 404, title: "There is no such group" },
  REVISION_NOT_FOUND: { status: 404, title: "There is no such revision" },
  SDK_KEY_NOT_FOUND: { status: 404, title: "There is no such SDK key" },
  ACCOUNT_NOT_FOUND: { status: 404, title: "There is no such account" },
  GRANT_NOT_FOUND: { status: 404, title: "There is no such role" },
  INVITATION_NOT_FOUND: { status: 404, title: "There is no such invitation" },
  SESSION_NOT_FOUND: { status: 404, title: "There is no such session" },
  TOKEN_NOT_FOUND: { status: 404, title: "There is no such token" },
  METHOD_NOT_ALLOWED: { status: 405, title: "The route does not take this method" },
  CONFLICT: { status: 409, title: "This conflicts with what is stored" },
  SETUP_DONE: { status: 409, title: "The first account exists already" },
  PROJECT_EXISTS: { status: 409, title: "The project key is taken" },
  ENVIRONMENT_EXISTS: { status: 409, title: "The environment key is taken" },
  FLAG_EXISTS: { status: 409, title: "The flag key is taken" },
  FLAG_KEY_USED: { status: 409, title: "A deleted flag had this key" },
  FLAG_IN_USE: { status: 409, title: "The flag is in use" },
  ACCOUNT_EXISTS: { status: 409, title: "The name is taken" },
  LAST_ADMIN: { status: 409, title: "There must be an admin" },
  GROUP_EXISTS: { status: 409, title: "The group key is taken" },
  REVERT_CONFLICT: { status: 409, title: "It was changed again since" },
  HISTORY_NOT_KEPT: { status: 404, title: "History does not reach back that far" },
  GROUP_IN_USE: { status: 409, title: "The group is in use" },
  GROUP_FULL: { status: 409, title: "The group is full" },
  ETAG_MISMATCH: { status: 412, title: "It was changed in the meantime" },
  BODY_TOO_LARGE: { status: 413, title: "The body is too large" },
  URL_TOO_LONG: { status: 414, title: "The address is too long" },
  UNSUPPORTED_CONTENT_TYPE: { status: 415, title: "The body has the wrong content type" },
  UNSUPPORTED_ENCODING: { status: 415, title: "The body is compressed" },
  UNKNOWN_PROPERTY: { status: 422, title: "The request has a property that is not known" },
  CONFIGURATION_REFUSED: { status: 422, title: "The configuration cannot be saved like this" },
  FLAG_REFUSED: { status: 422, title: "The flag cannot be saved like this" },
  ENVIRONMENT_REFUSED: { status: 422, title: "The environment cannot be like this" },
  PROJECT_REFUSED: { status: 422, title: "The project cannot be like this" },
  GROUP_REFUSED: { status: 422, title: "The group cannot be saved like this" },
  REVERT_REFUSED: { status: 422, title: "It cannot be taken back like this" },
  IMPORT_REFUSED: { status: 422, title: "The file cannot be imported like this" },
  STATE_TOO_LARGE: { status: 422, title: "The environment would become too large" },
  IDEMPOTENCY_KEY_REUSED: { status: 422, title: "The Idempotency-Key belongs to another request" },
  IF_MATCH_REQUIRED: { status: 428, title: "The header If-Match is needed" },
  TOO_MANY_ATTEMPTS: { status: 429, title: "Too many failed attempts" },
  RATE_LIMITED: { status: 429, title: "Too many requests" },
  INTERNAL: { status: 500, title: "Something went wrong on the server" },
  OVERLOADED: { status: 503, title: "The server has too much to do" },
  UNAVAILABLE: { status: 503, title: "Not available at the moment" },
  NOT_BUILT: { status: 503, title: "This part was not built" },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof CATALOGUE;
export interface Issue {
  readonly path: string;
  readonly message: string;
}
export interface ProblemExtra {
  readonly issues?: readonly Issue[];
  /** With 412: the resource as it is now. */
  readonly current?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** An expected failure with an answer for the caller. Thrown anywhere below a route; `problemResponse` turns it into the answer. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  readonly extra: ProblemExtra;
  constructor(code: ProblemCode, detail: string, extra: ProblemExtra = {}) {
    super(detail, extra.cause === undefined ? undefined : { cause: extra.cause });
    this.name = "Problem";
    this.code = code;
    this.status = CATALOGUE[code].status;
    this.extra = extra;
  }
}

/** `detail` is one sentence that names the value, the rule broken and the next step. */
export function problem(code: ProblemCode, detail: string, extra?: ProblemExtra): Problem {
  return new Problem(code, detail, extra);
}

/** A database that cannot be read or written at the moment is no defect: trying again may help. Undefined for every other error. */
export function databaseProblem(error: unknown): Problem | undefined {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (/^SQLITE_(BUSY|LOCKED)/.test(code)) {
    return problem(
      "UNAVAILABLE",
      `Another program holds the lock of the database (${code}), so nothing was changed: try again in a moment.`,
      {
        cause: error,
        headers: { "retry-after": "2" },
      },
    );
  }
  if (!/^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|NOMEM|CORRUPT|NOTADB)/.test(code)) return postgresProblem(error);
  return problem("UNAVAILABLE", `The database cannot be used (${code}), so nothing was changed: look after the disk of the data folder.`, {
    cause: error,
    headers: { "retry-after": "5" },
  });
}

/** The answer to somebody whose request needed the database; undefined for every error that is none of its state. */
function postgresProblem(error: unknown): Problem | undefined {
  // One that is told already: its cause would make another one of it.
  if (error instanceof Problem) return undefined;
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
  // What SQLite takes and PostgreSQL does not: a NUL character, a number beyond 64 bits or with a fraction where there is none.
  if (/^(22021|22P0[25]|22003)$/.test(state)) {
    return problem(
      "VALIDATION_FAILED",
      `The request holds a text or a number that the database cannot hold (${state}): send another one.`,
      {
        cause: error,
      },
    );
  }
  // 53: disk full, out of memory, too many connections; 57014: it took too long; 58: an error of its disk; 25006: a standby or read-only.
  if (/^(53...|57014|58...|25006|XX00[12])$/.test(state)) {
    return unavailable(`The database cannot store anything just now (${state}), so nothing was changed: look after its server`, error);
  }
  return undefined;
}

function unavailable(what: string, cause: unknown): Problem {
  return problem("UNAVAILABLE", `${what}; flags are served as they are.`, { cause, headers: { "retry-after": "2" } });
}

/** Any thrown value as a problem. What we did not expect becomes INTERNAL and tells nothing of its cause. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const unavailable = databaseProblem(error);
  if (unavailable) return unavailable;
  return new Problem("INTERNAL", "The server could not answer; its log names the cause under this request id.", { cause: error });
}

/** The body of a problem, for answers that are written without hono. */
export function problemBody(failure: Problem, requestId: string): Record<string, unknown> {
  const { title, status } = CATALOGUE[failure.code];
  return {
    type: "about:blank",
    title,
    status,
    code: failure.code,
    detail: failure.message,
    requestId,
    ...(failure.extra.issues && { issues: failure.extra.issues }),
    ...(failure.extra.current !== undefined && { current: failure.extra.current }),
  };
}

/** The answer to any thrown value: problem+json, never a stack. */
export function problemResponse(error: unknown, requestId: string): Response {
  const failure = asProblem(error);
  return new Response(JSON.stringify(problemBody(failure, requestId)), {
    status: failure.status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...failure.extra.headers },
  });
}
