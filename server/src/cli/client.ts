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
/** The same for a whole project or a list of 100,000. */
const LONG_ANSWER_MS_MAX = 120_000;
const RUN_AGAIN = "it may be stored or not; run the same command again, doing it twice does no harm.";

export interface Client {
  /** The parsed answer. Throws Refused with the server's sentence, or with what to check when it cannot be reached. */
  get<T>(path: string): Promise<T>;
  /** `ifMatch` is the ETag of what was read before. */
  post<T>(path: string, body: object, ifMatch?: string): Promise<T>;
  patch<T>(path: string, body: object, ifMatch?: string): Promise<T>;
  delete(path: string): Promise<void>;
  /** Sends text as it is, of another type than JSON or too long to be parsed here. */
  upload<T>(path: string, text: string, type: string): Promise<T>;
  /** The answer as text. */
  download(path: string): Promise<string>;
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
      `No token: make one at ${url} under Keys and tokens (scope "operator" is enough), and pass it as SIGNALBOX_TOKEN or --token.`,
    );
  }

  /** The answer, whatever it says. */
  async function send(path: string, init: RequestInit, msMax: number): Promise<Response> {
    const headers = { authorization: `Bearer ${token}`, ...init.headers };
    try {
      return await fetch(url + path, { ...init, headers, redirect: "error", signal: AbortSignal.timeout(msMax) });
    } catch (error) {
      const reason = reasonOf(error, msMax);
      // A request that was sent may have been carried out although its answer is lost.
      const isUnknown = init.method !== "GET" && !/ECONNREFUSED|ENOTFOUND|bad port/.test(reason);
      const Failure = isUnknown ? OutcomeUnknown : Refused;
      throw new Failure(
        isUnknown
          ? `${url} did not answer (${reason}): ${RUN_AGAIN}`
          : `${url} cannot be reached (${reason}): is the server running there? --url or SIGNALBOX_URL names another.`,
        { cause: error },
      );
    }
  }

  async function ask<T>(path: string, init: RequestInit, msMax = ANSWER_MS_MAX): Promise<T> {
    const answer = await send(path, init, msMax);
    if (answer.status === 204) return undefined as T;
    const body: unknown = await answer.json().catch(() => undefined);
    if (answer.ok && body !== undefined) return body as T;
    // A cut answer, or that of a proxy which lost ours: what was asked for may have been carried out behind it.
    if (init.method !== "GET" && (answer.ok || (answer.status >= 500 && !isProblem(body)))) {
      throw new OutcomeUnknown(`${url} answered ${answer.status} without saying what became of it: ${RUN_AGAIN}`);
    }
    throw new Refused(sentenceOf(answer, body, url));
  }

  function write<T>(method: string, path: string, body: object, ifMatch?: string): Promise<T> {
    const headers = { "content-type": "application/json", ...(ifMatch !== undefined && { "if-match": ifMatch }) };
    return ask(path, { method, headers, body: JSON.stringify(body) });
  }

  return {
    get: (path) => ask(path, { method: "GET" }),
    post: (path, body, ifMatch) => write("POST", path, body, ifMatch),
    delete: (path) => ask(path, { method: "DELETE" }),
    patch: (path, body, ifMatch) => write("PATCH", path, body, ifMatch),
    upload: (path, text, type) => ask(path, { method: "POST", headers: { "content-type": type }, body: text }, LONG_ANSWER_MS_MAX),
    async download(path) {
      const answer = await send(path, { method: "GET" }, LONG_ANSWER_MS_MAX);
      if (answer.ok) {
        try {
          return await answer.text();
        } catch (error) {
          throw new Refused(`The answer of ${url} was cut (${reasonOf(error, LONG_ANSWER_MS_MAX)}); run the same command again.`, {
            cause: error,
          });
        }
      }
      throw new Refused(sentenceOf(answer, await answer.json().catch(() => undefined), url));
    },
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
function reasonOf(error: unknown, msMax: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `no answer for ${msMax / 1000} s`;
  const { cause } = error;
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) return cause.errors[0].message;
  return cause instanceof Error ? cause.message : error.message;
}
