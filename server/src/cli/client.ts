import type { Problem } from "../api-types.ts";
import { type Options, UsageProblem } from "./options.ts";

/** The server did not do what was asked; the message is one sentence. */
export class Refused extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "Refused";
  }
}

/** The request was sent and its answer is lost: what was asked may have been done or not. */
export class OutcomeUnknown extends Refused {}

/** A server that does not answer within this time is treated as unreachable. */
const ANSWER_MS_MAX = 20_000;
const RUN_AGAIN = "it may be stored or not; run the same command again, doing it twice does no harm.";

export interface Client {
  /** The parsed answer. Throws Refused with the server's sentence, or with what to check when it cannot be reached. */
  get<T>(path: string): Promise<T>;
  /** `ifMatch` is the ETag of what was read before. */
  post<T>(path: string, body: object, ifMatch?: string): Promise<T>;
  patch<T>(path: string, body: object, ifMatch?: string): Promise<T>;
}

/** A client for one environment, and the address of that. */
export function createClient(options: Options): { client: Client; at: string } {
  const client = connect(options);
  const { environment, project } = options;
  if (environment === undefined) throw new UsageProblem("Which environment? Add -e with its key, for example -e production.");
  return { client, at: environmentPath(project, environment) };
}

export function environmentPath(project: string, environment: string): string {
  return `/api/v1/projects/${encodeURIComponent(project)}/environments/${encodeURIComponent(environment)}`;
}

export function connect({ url, token }: Options): Client {
  if (token === undefined) {
    throw new UsageProblem(
      `No token: make one at ${url} under Settings, Tokens (scope "operator" is enough), and pass it as SIGNALBOX_TOKEN or --token.`,
    );
  }

  async function ask<T>(path: string, init: RequestInit, ifMatch?: string): Promise<T> {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(init.body ? { "content-type": "application/json" } : {}),
      ...(ifMatch === undefined ? {} : { "if-match": ifMatch }),
    };
    const answer = await fetch(url + path, { ...init, headers, redirect: "error", signal: AbortSignal.timeout(ANSWER_MS_MAX) }).catch(
      (error: unknown) => {
        const reason = reasonOf(error);
        // A request that was sent may have been carried out although its answer is lost.
        const isUnknown = init.method !== "GET" && !/ECONNREFUSED|ENOTFOUND|bad port/.test(reason);
        const Failure = isUnknown ? OutcomeUnknown : Refused;
        throw new Failure(
          isUnknown
            ? `${url} did not answer (${reason}): ${RUN_AGAIN}`
            : `${url} cannot be reached (${reason}): is the server running there? --url or SIGNALBOX_URL names another.`,
          { cause: error },
        );
      },
    );
    const body: unknown = await answer.json().catch(() => undefined);
    if (answer.ok && body !== undefined) return body as T;
    // A cut answer, or that of a proxy which lost ours: what was asked for may have been carried out behind it.
    if (init.method !== "GET" && (answer.ok || (answer.status >= 500 && !isProblem(body)))) {
      throw new OutcomeUnknown(`${url} answered ${answer.status} without saying what became of it: ${RUN_AGAIN}`);
    }
    throw new Refused(sentenceOf(answer, body, url));
  }

  return {
    get: (path) => ask(path, { method: "GET" }),
    post: (path, body, ifMatch) => ask(path, { method: "POST", body: JSON.stringify(body) }, ifMatch),
    patch: (path, body, ifMatch) => ask(path, { method: "PATCH", body: JSON.stringify(body) }, ifMatch),
  };
}

function isProblem(body: unknown): boolean {
  const { code, detail } = (body ?? {}) as Partial<Problem>;
  return typeof code === "string" && typeof detail === "string";
}

function sentenceOf(answer: Response, body: unknown, url: string): string {
  const { detail, issues } = (body ?? {}) as Partial<Problem>;
  if (typeof detail !== "string") return `${url} answered ${answer.status} without a reason: does Signalbox run there?`;
  // The detail mostly says the first of them already.
  const others = (issues ?? []).filter(({ message }) => !detail.includes(message));
  const more = others.map(({ path, message }) => `\n  ${path}: ${message}`).join("");
  return detail + more;
}

/** fetch says "fetch failed" and puts the reason into the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `no answer for ${ANSWER_MS_MAX / 1000} s`;
  const { cause } = error;
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return cause.errors[0].message;
  return cause instanceof Error ? cause.message : error.message;
}
