import { createAcks } from "./acks.ts";
import { readDetail } from "./answer.ts";
import { type EvaluateOptions, evaluate, evaluateSlot, typeMatches } from "./evaluate.ts";
import type { Trace } from "./explain.ts";
import type { FactsHolder, FactsOwner } from "./facts.ts";
import type { Context, Evaluation, Json, Position, Reason } from "./model.ts";
import { formatPosition, isNewer } from "./position.ts";
import { createEventReader } from "./sse.ts";
import { createState, dependentsOf, type State, warm } from "./state.ts";
import { createSync, type LostCause, type SyncAction, type SyncEvent, type SyncStatus, stepSync } from "./sync.ts";
import { countUp } from "./usage-counts.ts";
import { createUsageReporter } from "./usage-report.ts";

/** What both SDKs are made of. Everything that touches a network, a clock or a disk is a port of the SDK around it. */

export interface Status {
  readonly state: SyncStatus;
  /** Names of what the SDK key stands for; empty before the first state. */
  readonly environment: string;
  readonly project: string;
  /** How many flags are held. */
  readonly flags: number;
  readonly generation: number | undefined;
  readonly revision: number | undefined;
  /** The last problem, as a sentence; undefined while live. */
  readonly problem: string | undefined;
}

export interface Change {
  /** Keys of the flags whose rules changed, or which depend on something that changed. */
  readonly keys: readonly string[];
  readonly generation: number;
  readonly revision: number;
}

/** Why a flag answers as it does. Without `variant` it has no answer and the caller's default holds. */
export interface Explanation {
  readonly flag: string;
  readonly variant: string | undefined;
  readonly value: Json | undefined;
  readonly reason: Reason;
  readonly environment: string;
  readonly generation: number | undefined;
  readonly revision: number | undefined;
  readonly status: SyncStatus;
  /** How it came about, in words and step by step; the SDK for browsers, which has to be small, leaves it out. */
  readonly trace?: Trace;
}

export interface Events {
  /** Each change that was applied, exactly once; the first state is one. */
  change: (change: Change) => void;
  status: (status: Status) => void;
}

export interface Logger {
  info(message: string): void;
  warn(message: string): void;
}

/** The logger of an app that wants to hear nothing. */
export const SILENT: Logger = { info() {}, warn() {} };

/** The part of both SDKs that answers. No method throws, does I/O or returns a promise, whatever it is given, except as noted. */
export interface Flags {
  /** Whether a boolean flag is on. `default` (false when absent) answers while nothing is known of the flag. */
  isOn(key: string, context?: Context, options?: { readonly default?: boolean }): boolean;
  /** The value of a flag of any type; `fallback` when there is none or when it is of another type than `fallback`. */
  value(key: string, fallback: boolean, context?: Context): boolean;
  value(key: string, fallback: string, context?: Context): string;
  value(key: string, fallback: number, context?: Context): number;
  value<T extends Json>(key: string, fallback: T, context?: Context): T;
  /** The name of the variant that is served. */
  variant(key: string, context?: Context): string | undefined;
  /** The answer with its reason. Not counted as an evaluation. */
  explain(key: string, context?: Context): Explanation;
  /** The values of all flags for one context. Not counted as evaluations. */
  all(context?: Context): { readonly [flag: string]: Json };
  readonly status: Status;
  /** Resolves as soon as there is a state to answer from, or the key is refused, or the time is over. Never rejects. */
  ready(options?: { readonly timeoutMs?: number }): Promise<Status>;
  /** Calls back until the returned function is called. Whatever a listener throws is logged and goes no further. */
  on<E extends keyof Events>(event: E, listener: Events[E]): () => void;
  /** Sends the usage counted so far. Resolves within a few seconds, whether it arrived or not. */
  flush(): Promise<void>;
  /** Lets go of connection and timers, within a second. Reads go on answering from what is held. Safe to call again. */
  close(): Promise<void>;
}

/** What the SDK around the client does for it. */
export interface Ports {
  /** Milliseconds on a clock that does not jump. */
  now(): number;
  /** Milliseconds since 1970, as this machine takes them to be. */
  time(): number;
  random(): number;
  /** A draw for a random percentage of this flag. */
  draw(flag: string): number;
  /** `hold`: the program waits for this one. Returns what cancels it. */
  after(ms: number, run: () => void, hold: boolean): () => void;
  /** Opens the stream; returns what drops it. Reports bytes as text, then exactly one `lost`. */
  stream(query: string, listener: StreamListener): () => void;
  /** Gets the state; returns what drops the request. `etag` of the state that is held. */
  state(query: string, etag: string | undefined, listener: (event: SyncEvent) => void): () => void;
  /** Posts JSON. `hold`: the program waits for it. "refused": sending the same again is pointless. */
  send(path: "usage" | "ack", body: string, hold: boolean): Promise<"sent" | "refused" | "failed">;
  /** The context of a call that gives none. */
  context(): Context | undefined;
  changed?(state: State): void;
  /** `createFacts` of core around ports of its own; absent in programs with a server key, for which no condition is hidden. */
  holdFacts?(owner: FactsOwner): FactsHolder;
  /** Explains an answer; absent where explanations would cost too much. */
  explain?(state: State, flag: string, context: unknown, options: EvaluateOptions): Trace;
}

export interface StreamListener {
  open(): void;
  text(piece: string): void;
  lost(cause: LostCause, more?: { status?: number; retryAfterMs?: number; detail?: string }): void;
}

export interface ClientOptions {
  readonly server: string;
  readonly sdkKey: string;
  readonly app: string;
  readonly appVersion?: string | undefined;
  readonly instance: string;
  /** The machine, by the name that people there give it. */
  readonly host?: string | undefined;
  /** `node/0.1.0` */
  readonly sdk: string;
  readonly transport: "stream" | "poll";
  readonly pollMs: number;
  readonly logger: Logger;
  /** What to do about a key that is not known, after "check the key". */
  readonly unknownHint: string;
  /** A state of an earlier run, filled before. */
  readonly state?: State;
}

export interface Client extends Flags {
  /** Undefined without the port that holds them. */
  readonly facts: FactsHolder | undefined;
  /** Resolves with true when the state is at this position or beyond, with false when `timeoutMs` are over first, or at once when closed. */
  reached(position: Position, timeoutMs: number): Promise<boolean>;
  /** Tells the sync machine of something that only the SDK can see: `wake` or `sleep`. */
  tell(event: SyncEvent): void;
  /** What was counted and not sent, as bodies of reports, for a page that goes away. */
  drain(): readonly string[];
}

const READY_MS = 3_000;
/** `flush` waits this long at most; `close`, which nobody should notice, this long. */
const FLUSH_MS_MAX = 3_000;
const CLOSE_MS_MAX = 1_000;
/** The same problem is said again after this long, and never twice within a minute. */
const SAID_AGAIN_MS = 600_000;
const SAID_SPACING_MS = 60_000;
const UNREADABLE_SAID_MAX = 100;

export function createClient(ports: Ports, options: ClientOptions): Client {
  const state = options.state ?? createState();
  const { logger } = options;
  const acks = createAcks(ports, options.instance);
  let sync = createSync(state, { ...options, key: shortened(options.sdkKey) });
  let closed: Promise<void> | undefined;

  // Evaluation

  /** What the server's clock is ahead of this machine's: schedules follow the server's, also while it is gone. */
  let skewMs = 0;
  const clock = () => ports.time() + skewMs;
  const facts: FactsHolder | undefined = ports.holdFacts?.({
    state,
    evaluate: (flag) => evaluate(state, flag, facts?.context, circumstances()),
    changed: (flags) => emit("change", { keys: dependentsOf(state, flags), ...positionNow() }),
    looked: () => settle(),
    refused: (status, text) => say(`facts-${status}`, `facts are refused: ${readDetail(text) ?? `${options.server} answers ${status}`}`),
  });
  const current = { random: ports.draw, clock, facts };
  const stale = { random: ports.draw, clock, facts, staleMs: 0 };

  function ask(key: string, context: Context | undefined): Evaluation {
    try {
      const subject = context ?? ports.context() ?? NOBODY;
      const given = evaluate(state, key, subject, circumstances());
      // Before there is any state, answers that the page came with hold, but never over a kill.
      const isEarly = facts !== undefined && state.position === undefined && subject === facts.context && !state.emergency.has(key);
      return (isEarly && facts.held(key)) || given;
    } catch {
      return BROKEN; // a hostile provider of contexts; `evaluate` itself never throws
    }
  }

  function traced(key: string, context: Context | undefined): Trace | undefined {
    try {
      return ports.explain?.(state, key, context ?? ports.context() ?? NOBODY, circumstances());
    } catch {
      return undefined; // as above
    }
  }

  function circumstances(): EvaluateOptions {
    if (sync.status === "live") return current;
    // Not live: flags that name a longest staleness have to know.
    stale.staleMs = sync.verifiedAt === undefined ? Number.POSITIVE_INFINITY : ports.now() - sync.verifiedAt;
    return stale;
  }

  function answer(key: string, context: Context | undefined): Evaluation {
    const slot = state.slots.flags.get(key);
    if (slot === undefined || closed !== undefined || sync.status !== "live") return answerSlowly(key, context);
    // The way of nearly every read: nothing is looked up twice, nothing is allocated.
    try {
      const subject = context ?? ports.context() ?? NOBODY;
      const given = evaluateSlot(state, slot, subject, current);
      if (!given.served) return answerSlowly(key, context);
      if (!countUp(slot, given.variant)) usage.served(key, given.variant, slot);
      if (usage.wantsContext) usage.sample(subject);
      return given;
    } catch {
      return BROKEN; // a hostile provider of contexts
    }
  }

  function answerSlowly(key: string, context: Context | undefined): Evaluation {
    const given = ask(key, context);
    if (closed !== undefined) return given;
    if (given.served) usage.served(key, given.variant);
    else if (given.reason.kind === "ERROR" && given.reason.code === "FLAG_NOT_FOUND" && typeof key === "string") usage.missing(key);
    else if (given.reason.kind === "ERROR" && given.reason.code === "PARSE_ERROR") usage.plan(); // and is said then
    return given;
  }

  // Usage

  /** Flags and groups that cannot be read, and why, as it was said. */
  const unreadable = new Map<string, string>();
  const usage = createUsageReporter({
    ports,
    time: clock,
    named: { instance: options.instance, app: options.app, sdk: options.sdk },
    before(unknown) {
      for (const key of unknown) warn(`no flag "${key}" in ${place()}, the default of the call holds; check the key${options.unknownHint}`);
      sayUnreadable();
    },
    lost: (many, why) => warn(`${many} ${many === 1 ? "evaluation is" : "evaluations are"} counted nowhere: ${why}`),
  });

  /** What was asked for and cannot be read, each once for each reason. Evaluation itself reports nothing. */
  function sayUnreadable(): void {
    for (const { key, plan } of state.slots.flags.values()) {
      if (plan?.problem !== undefined) sayOnce(`the flag "${key}"`, plan.problem, "it serves its off variant");
    }
    for (const { key, plan } of state.slots.groups.values()) {
      if (plan?.problem !== undefined) sayOnce(`the group "${key}"`, plan.problem, "who is in it is unknown");
    }
  }

  function sayOnce(what: string, problem: string, consequence: string): void {
    if (unreadable.get(what) === problem || unreadable.size >= UNREADABLE_SAID_MAX) return;
    unreadable.set(what, problem);
    warn(`${what} cannot be read by this version (${problem}): ${consequence}; update the SDK, or mend it in the admin UI`);
  }

  // Telling

  const listeners: { readonly [E in keyof Events]: Set<Events[E]> } = { change: new Set(), status: new Set() };
  const waiting = new Set<(status: Status) => void>();
  let lastProblem: string | undefined;
  let saidCode: string | undefined;
  let connectedSaidAt = Number.NEGATIVE_INFINITY;
  const saidAt = new Map<string, number>();

  function status(): Status {
    return {
      state: sync.status,
      environment: state.environment,
      project: state.project,
      flags: state.size,
      generation: state.position?.generation,
      revision: state.position?.revision,
      problem: lastProblem,
    };
  }

  const place = () => (state.environment === "" ? options.server : `${state.environment} of ${state.project}`);
  const warn = (sentence: string) => quietly(() => logger.warn(`signalbox: ${sentence}`));

  /** A logger, a listener, a store of the app: whatever it throws must not reach the sync machine. */
  function quietly(run: () => unknown): unknown {
    try {
      run();
      return undefined;
    } catch (error) {
      return error ?? "nothing";
    }
  }

  function emit<E extends keyof Events>(event: E, ...args: Parameters<Events[E]>): void {
    for (const listener of [...listeners[event]]) {
      const thrown = quietly(() => (listener as (...values: Parameters<Events[E]>) => void)(...args));
      if (thrown !== undefined) warn(`a listener of "${event}" threw: ${describe(thrown)}`);
    }
  }

  const positionNow = () => state.position ?? { generation: 0, revision: 0 };
  const isConnected = () => sync.status === "live" || sync.status === "polling";
  /** With a state of an earlier run, facts are waited for until the first attempt to reach the server has failed. */
  const isReady = () =>
    isSettled(sync.status) && !(facts?.isAsking && (isConnected() || (sync.status === "cached" && sync.failures === 0)));

  function settle(): void {
    if (waiting.size === 0 || !isReady()) return;
    const now = status();
    for (const resolve of [...waiting]) resolve(now);
    waiting.clear();
  }

  function say(code: string, sentence: string): void {
    lastProblem = sentence;
    const now = ports.now();
    const before = saidAt.get(code) ?? Number.NEGATIVE_INFINITY;
    if (now - before < (code === saidCode ? SAID_AGAIN_MS : SAID_SPACING_MS)) return;
    saidCode = code;
    saidAt.set(code, now);
    warn(sentence);
  }

  function told(next: SyncStatus): void {
    if (next === "live" || next === "polling") {
      lastProblem = undefined;
      const now = ports.now();
      if (saidCode !== undefined || now - connectedSaidAt > SAID_AGAIN_MS) {
        if (now - connectedSaidAt > SAID_SPACING_MS || saidCode !== undefined) {
          connectedSaidAt = now;
          const word = next === "live" ? "connected to" : "polling";
          quietly(() => logger.info(`signalbox: ${word} ${place()}, ${state.size} ${state.size === 1 ? "flag" : "flags"}`));
        }
      }
      saidCode = undefined;
    }
    emit("status", status());
  }

  // Following

  let drop = () => {};
  let cancelTimer = () => {};
  let cancelWarm = () => {};
  let connection = 0;
  const queue: SyncEvent[] = [];
  let stepping = false;

  /** Steps the machine. A listener that causes another event (by `close()`) has it taken after the actions of this one. */
  function dispatch(event: SyncEvent): void {
    queue.push(event);
    if (stepping) return;
    stepping = true;
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const step = stepSync(sync, next, { now: ports.now(), random: ports.random() });
      if (step.sync.serverAt !== undefined && step.sync.serverAt !== sync.serverAt) skewMs = step.sync.serverAt - ports.time();
      sync = step.sync;
      usage.look(state.position, sync.samples);
      if (facts) {
        for (const action of step.actions) if (action.kind === "facts") facts.told(action, action.from);
        facts.look(isConnected());
      }
      for (const action of step.actions) {
        // A port that throws costs one attempt: the machine's timer is the answer to whatever does not happen.
        const thrown = quietly(() => perform(action));
        if (thrown !== undefined) warn(`${action.kind} failed: ${describe(thrown)}`);
      }
      // A resync lets go of the stream and is acknowledged on the terms of that.
      const onTerms = sync.phase === "streaming" || (sync.phase === "fetching" && sync.resyncing !== undefined);
      acks.look(onTerms ? sync.acks : undefined, state.position);
      for (const look of [...arrivals]) look();
      settle();
    }
    stepping = false;
  }

  function disconnect(): void {
    connection++;
    const dropped = drop;
    drop = () => {};
    dropped();
  }

  /** Events of a connection count only until the next one begins or it is dropped. */
  function connect(open: (listener: (event: SyncEvent) => void) => () => void): void {
    disconnect();
    const mine = connection;
    drop = open((event) => {
      if (mine === connection) dispatch(event);
    });
  }

  function query(basis: Position | undefined): string {
    const { instance, app, appVersion, sdk, host } = options;
    // `acks=all`: every revision is acknowledged, not only kills.
    const fields = { instance, app, appVersion, sdk, host, acks: "all", basis: basis && formatPosition(basis) };
    const given = Object.entries(fields).filter(([, value]) => value);
    return given.map(([name, value]) => `${name}=${encodeURIComponent(value ?? "")}`).join("&");
  }

  function follow(basis: Position | undefined): void {
    connect((listener) => {
      const reader = createEventReader();
      return ports.stream(query(basis), {
        open: () => listener({ kind: "open" }),
        text(piece) {
          listener({ kind: "heard" });
          const events = reader.push(piece);
          if (events === "oversize") listener({ kind: "lost", cause: "oversize" });
          else for (const event of events) listener({ kind: "frame", ...event });
        },
        lost: (cause, more) => listener({ kind: "lost", cause, ...more }),
      });
    });
  }

  function perform(action: SyncAction): void {
    switch (action.kind) {
      case "connect":
        follow(action.basis);
        break;
      case "fetchState":
        connect((listener) => ports.state(query(undefined), action.basis && `"${formatPosition(action.basis)}"`, listener));
        break;
      case "disconnect":
        disconnect();
        break;
      case "timer":
        cancelTimer();
        cancelTimer = ports.after(action.inMs, () => dispatch({ kind: "timer" }), false);
        break;
      case "clearTimer":
        cancelTimer();
        break;
      case "acknowledge":
        acks.urgent(action.position, action.spreadMs ?? 0);
        break;
      case "changed": {
        quietly(() => ports.changed?.(state));
        emit("change", { keys: action.keys, ...positionNow() });
        break;
      }
      case "status":
        told(action.status);
        cancelWarm();
        // The first change should find at once whom it reaches.
        if (action.status !== "closed") cancelWarm = ports.after(0, () => warm(state), false);
        break;
      case "problem":
        say(action.code, action.sentence);
        break;
      case "facts": // taken before all others, so that no listener of these reads what is out of date
    }
  }

  async function flush(waitMs = FLUSH_MS_MAX): Promise<void> {
    let cancel = () => {};
    const over = new Promise<void>((resolve) => {
      cancel = ports.after(waitMs, resolve, true);
    });
    await Promise.race([usage.flush(true), over]);
    cancel();
  }

  const arrivals = new Set<() => void>();

  function isAt(position: Position): boolean {
    return state.position !== undefined && !isNewer(position, state.position);
  }

  function reached(position: Position, timeoutMs: number): Promise<boolean> {
    if (isAt(position)) return Promise.resolve(true);
    if (closed !== undefined) return Promise.resolve(false);
    return new Promise((resolve) => {
      const look = () => {
        if (isAt(position) || closed !== undefined) done();
      };
      const done = () => {
        cancel();
        arrivals.delete(look);
        resolve(isAt(position));
      };
      const cancel = ports.after(timeoutMs, done, true);
      arrivals.add(look);
    });
  }

  // The first request leaves after the caller's line is done, so that creating never does I/O.
  const cancelStart = ports.after(0, () => dispatch({ kind: "start" }), false);

  return {
    facts,
    isOn(key, context, given) {
      const { served, value } = servedValue(answer(key, context));
      return served && typeof value === "boolean" ? value : given?.default === true;
    },
    // Four overloads, one answer: `fits` has compared its type with that of the caller's default.
    value(key: string, fallback: Json, context?: Context): never {
      const { served, value } = servedValue(answer(key, context));
      return (served && fits(value, fallback) ? value : fallback) as never;
    },
    variant(key, context) {
      const given = answer(key, context);
      return given.served ? given.variant : undefined;
    },
    explain(key, context) {
      const trace = traced(key, context);
      const given = trace?.evaluation ?? ask(key, context);
      return {
        flag: key,
        variant: given.served ? given.variant : undefined,
        value: given.served ? given.value : undefined,
        reason: given.reason,
        environment: state.environment,
        generation: state.position?.generation,
        revision: state.position?.revision,
        status: sync.status,
        ...(trace && { trace }),
      };
    },
    all(context) {
      const values: { [flag: string]: Json } = Object.create(null);
      try {
        const subject = context ?? ports.context() ?? NOBODY;
        const under = circumstances();
        for (const slot of state.slots.flags.values()) {
          if (slot.entry === undefined) continue;
          const given = evaluateSlot(state, slot, subject, under);
          if (given.served) values[slot.key] = given.value;
        }
      } catch {
        // a hostile provider of contexts: nothing is known of anybody
      }
      return values;
    },
    get status() {
      return status();
    },
    ready({ timeoutMs = READY_MS } = {}) {
      if (isReady()) return Promise.resolve(status());
      return new Promise((resolve) => {
        const cancel = ports.after(Math.max(0, timeoutMs), () => done(status()), true);
        const done = (now: Status) => {
          cancel();
          waiting.delete(done);
          resolve(now);
        };
        waiting.add(done);
      });
    },
    on(event, listener) {
      listeners[event].add(listener);
      return () => void listeners[event].delete(listener);
    },
    flush: () => flush(),
    close() {
      if (closed !== undefined) return closed;
      cancelStart();
      usage.close();
      facts?.close();
      dispatch({ kind: "close" });
      closed = flush(CLOSE_MS_MAX);
      for (const look of [...arrivals]) look(); // nothing arrives any more
      return closed;
    },
    tell: dispatch,
    reached,
    drain: usage.drain,
  };
}

const NOBODY: Context = Object.freeze({});
const BROKEN: Evaluation = { served: false, reason: { kind: "ERROR", code: "PARSE_ERROR" } };
const NONE = { served: false, value: null } as const;

const servedValue = (given: Evaluation) => (given.served ? given : NONE);
const isSettled = (status: SyncStatus) => status !== "connecting";

/** Row 13: the value is of the type that the caller's default has; a default of null takes any. */
function fits(value: Json, fallback: Json): boolean {
  if (fallback === null || fallback === undefined) return true;
  if (typeof fallback !== "object") return typeMatches(value, typeof fallback as "boolean" | "string" | "number");
  return typeof value === "object" && value !== null && Array.isArray(value) === Array.isArray(fallback);
}

/** Enough of a key to find it again, not enough to use it: keys of servers are secrets and logs travel. */
export function shortened(sdkKey: string): string {
  const kind = /^sb_[a-z]+_[A-Za-z0-9-]+/.exec(sdkKey)?.[0].slice(0, 40) ?? sdkKey.slice(0, 6);
  return kind === sdkKey ? kind : `${kind}…`;
}

function describe(thrown: unknown): string {
  try {
    return thrown instanceof Error ? thrown.message : String(thrown);
  } catch {
    return "something that cannot be shown";
  }
}
