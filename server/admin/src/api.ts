import type { Problem } from "../../src/api-types.ts";

/** An answer of the server that says no, as a sentence for people. `current` is the resource as it is now (with 412). */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly issues: readonly { path: string; message: string }[];
  readonly current: unknown;

  constructor(status: number, problem: Partial<Problem>) {
    super(problem.detail ?? problem.title ?? `The server answered ${status}.`);
    this.name = "ApiError";
    this.status = status;
    this.code = problem.code ?? "UNKNOWN";
    this.issues = problem.issues ?? [];
    this.current = problem.current;
  }
}

/** The code of a write whose answer did not arrive. */
export const OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN";

const signedOut = new Set<() => void>();

/** Calls the listener when an answer says that nobody is signed in (any more). */
export function onSignedOut(listener: () => void): void {
  signedOut.add(listener);
}

export interface Call {
  readonly body?: unknown;
  /** Sent as it is, in place of `body`: a file. */
  readonly file?: { readonly content: Blob | string; readonly type: string };
  /** The ETag that the write expects, from the body of the last answer. */
  readonly ifMatch?: string;
  readonly signal?: AbortSignal;
}

/** One request to the API of this origin. Throws ApiError for every answer that is not 2xx, also when there is none (status 0). */
export async function call<T>(method: "GET" | "POST" | "PATCH" | "DELETE", path: string, options: Call = {}): Promise<T> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (method !== "GET") {
    headers["content-type"] = "application/json";
    headers["x-signalbox-csrf"] = "1";
  }
  if (options.ifMatch !== undefined) headers["if-match"] = options.ifMatch;
  const init: RequestInit = { method, headers, credentials: "same-origin" };
  if (options.body !== undefined) init.body = JSON.stringify(options.body);
  if (options.file) {
    headers["content-type"] = options.file.type;
    init.body = options.file.content;
  }
  if (options.signal) init.signal = options.signal;

  let response: Response;
  let text: string;
  try {
    response = await fetch(path, init);
    text = await response.text();
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    if (method === "GET") throw new ApiError(0, { code: "UNREACHABLE", detail: "The server cannot be reached; try again in a moment." });
    throw new ApiError(0, { code: OUTCOME_UNKNOWN, detail: "It may be stored or not: reload the page and look before you try again." });
  }
  const body = parse(text);
  if (response.status === 401) for (const listener of signedOut) listener();
  if (!response.ok) throw new ApiError(response.status, typeof body === "object" && body !== null ? (body as Partial<Problem>) : {});
  // The server validates its answers with the schemas that these types are inferred from.
  return body as T;
}

function parse(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The sentence to show for anything that was thrown, with what the server found wrong in detail. */
export function sentenceOfError(error: unknown): string {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  const details = error.issues.map((issue) => issue.message).filter((message) => !error.message.includes(message));
  return [error.message, ...details].join(" ");
}

export function projectPath(project: string): string {
  return `/api/v1/projects/${encodeURIComponent(project)}`;
}

export function environmentPath(project: string, environment: string): string {
  return `${projectPath(project)}/environments/${encodeURIComponent(environment)}`;
}
