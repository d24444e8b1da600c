import {
  applyChange,
  applySnapshot,
  type Context,
  compileVerdict,
  contextHash,
  createState,
  digestOf,
  type EntryId,
  entryId,
  type FactsAnswer,
  isNewer,
  type Judge,
  type SnapshotFrame,
  type State,
  xor64,
  ZERO64,
} from "@signalbox/core";
import type { Clock } from "../delivery/clock.ts";
import type { EnvironmentInfo } from "../delivery/feed.ts";
import { merge } from "../delivery/steps.ts";
import { problem } from "../errors.ts";
import { regex } from "../flags/patterns.ts";
import type { EnvironmentModel, FlagFacts } from "../store/model.ts";
import type { Store } from "../store/store.ts";
import { browserContext, type ContextRequest } from "./signed-context.ts";

/** How long a request waits for a revision that its page knows of and this node does not yet. */
export const BEHIND_MS_MAX = 2_000;
/** Requests that wait so at one time; past this they are answered 503 at once. */
const BEHIND_MAX = 1_000;
/** A context may be made to cost much: what is not found out in this time is unknown. An ordinary one takes microseconds for each fact. */
const ANSWER_MS_MAX = 100;

/** A `FactsRequest` as it was read. */
export interface FactsQuestion extends ContextRequest {
  readonly generation?: number | undefined;
  readonly at?: number | undefined;
}

/** Answers pages what the server alone can: which facts hold for a context. */
export interface Facts {
  /**
   * Which facts of the flags that browsers see hold for the context of the request, at the newest revision. `address` is where the request
   * comes from: it stands in for every attribute that a fact compares with addresses, whatever the context says there.
   *
   * @throws Problem of `browserContext`, or UNAVAILABLE (503, Retry-After) when the page knows a newer revision for more than 2 s.
   */
  answer(environment: EnvironmentInfo, request: FactsQuestion, address: string | undefined): Promise<FactsAnswer>;
  /** The same for a context that `browserContext` has checked, at the newest revision of this node. */
  answerFor(environment: EnvironmentInfo, context: Context, address: string | undefined): FactsAnswer;
}

export interface FactsDeps {
  readonly store: Pick<Store, "projects" | "feed" | "signingSecrets">;
  readonly clock: Clock;
}

export function createFacts({ store, clock }: FactsDeps): Facts {
  const courts = new Map<number, Court>();
  let waiting = 0;

  function modelOf({ id }: EnvironmentInfo): EnvironmentModel {
    const found = store
      .projects()
      .flatMap(({ environments }) => environments)
      .find(({ info }) => info.id === id);
    if (!found) throw new RangeError(`there is no environment with the id ${id}`);
    return found;
  }

  /** Resolves when the revision that the page knows of is here. */
  async function catchUp(environment: EnvironmentInfo, { generation, at }: FactsQuestion): Promise<void> {
    const isBehind = () =>
      generation !== undefined && at !== undefined && at > 0 && isNewer({ generation, revision: at }, modelOf(environment));
    if (!isBehind()) return;
    if (waiting >= BEHIND_MAX) throw behind(environment);
    waiting += 1;
    try {
      await new Promise<void>((resolve, reject) => {
        const stopListening = store.feed.onCommit(() => {
          if (isBehind()) return;
          stopListening();
          stopTimer();
          resolve();
        });
        const stopTimer = clock.after(BEHIND_MS_MAX, () => {
          stopListening();
          reject(behind(environment));
        });
      });
    } finally {
      waiting -= 1;
    }
  }

  function answerFor(environment: EnvironmentInfo, context: Context, address: string | undefined): FactsAnswer {
    const court = courts.get(environment.id) ?? new Court(store.feed);
    courts.set(environment.id, court);
    return { ...court.verdicts(modelOf(environment), context, address, clock), contextHash: contextHash(context) };
  }

  return {
    answerFor,
    async answer(environment, request, address) {
      const { settings } = modelOf(environment);
      const secrets = store.signingSecrets(environment.id).map(({ text }) => text);
      const { context } = browserContext(request, { secureMode: settings.secureMode, secrets, now: clock.now() });
      await catchUp(environment, request);
      return answerFor(environment, context, address);
    },
  };
}

function behind({ key }: EnvironmentInfo) {
  return problem("UNAVAILABLE", `This server does not know yet of the change of ${key} that the page knows of; ask again in 1 s.`, {
    headers: { "retry-after": "1" },
  });
}

/** The facts of one environment, compiled. Follows its groups from change to change, since a list of 100,000 is not taken in for each question. */
class Court {
  readonly #feed: Store["feed"];
  /** Holds the groups alone. */
  #state: State = createState({ regex });
  #slots: State["slots"] | undefined;
  #flagFacts: EnvironmentModel["flagFacts"] | undefined;
  #judges = new Map<number, Judge>();
  /** Attributes that facts compare with addresses. */
  #addressed: readonly string[] = [];

  constructor(feed: Store["feed"]) {
    this.#feed = feed;
  }

  verdicts(
    model: EnvironmentModel,
    context: Context,
    address: string | undefined,
    clock: Clock,
  ): Pick<FactsAnswer, "generation" | "revision" | "true" | "false"> {
    this.#follow(model);
    this.#compile(model.flagFacts);
    const seen: Record<string, unknown> = { ...context };
    // Under its full name it counts before an object that holds it (`client.ip`); undefined is unknown.
    for (const attribute of this.#addressed) seen[attribute] = address;
    const found: { true: number[]; false: number[] } = { true: [], false: [] };
    const until = clock.monotonic() + ANSWER_MS_MAX;
    const call = { clock: clock.now };
    for (const [number, judge] of this.#judges) {
      const verdict = judge(seen, call);
      if (verdict !== "unknown") found[verdict].push(number);
      if (clock.monotonic() > until) break;
    }
    return { generation: model.generation, revision: model.revision, ...found };
  }

  #follow(model: EnvironmentModel): void {
    const { position } = this.#state;
    if (position?.generation === model.generation && position.revision === model.revision) return;
    if (!this.#step(model)) this.#startAnew(model);
  }

  /** From change to change; false if that cannot be. */
  #step({ info, generation, revision }: EnvironmentModel): boolean {
    const { position, digest, entries } = this.#state;
    if (position?.generation !== generation) return false;
    const commits = this.#feed.commitsSince(info.id, position.revision);
    if (!commits || commits.at(-1)?.to !== revision || commits.some((commit) => commit.generation !== generation)) return false;
    const change = merge(commits, position.revision, "server", false);
    const put = change.put.filter(({ kind }) => kind === "group");
    const remove = change.remove.filter((id) => id.startsWith("group:"));
    const after = new Map<EntryId, string>();
    for (const id of remove) after.set(id, ZERO64);
    for (const entry of put) after.set(entryId(entry), entry.fp);
    for (const { group, fp } of change.members ?? []) after.set(`group:${group}`, fp);
    let next = digest;
    for (const [id, fp] of after) next = xor64(next, xor64(entries.get(id)?.fp ?? ZERO64, fp));
    return applyChange(this.#state, { ...change, put, remove, digest: next }).kind === "applied";
  }

  #startAnew({ info, generation, revision, states }: EnvironmentModel): void {
    const entries = [...states.server.entries.values()].filter(({ kind }) => kind === "group");
    const place = { environment: info.key, project: info.projectKey };
    const snapshot: SnapshotFrame = { generation, revision, digest: digestOf(entries), factsAt: 0, ...place, entries };
    this.#state = createState({ regex });
    applySnapshot(this.#state, snapshot);
  }

  #compile(flagFacts: EnvironmentModel["flagFacts"]): void {
    const { slots } = this.#state;
    if (flagFacts === this.#flagFacts && slots === this.#slots) return;
    const kept = slots === this.#slots ? this.#judges : new Map<number, Judge>();
    const all = allFacts(flagFacts);
    this.#judges = new Map([...all].map(([number, condition]) => [number, kept.get(number) ?? compileVerdict(condition, this.#state)]));
    this.#addressed = [...all.values()].flatMap((condition) => (condition.op === "cidr" ? [condition.attribute] : []));
    this.#flagFacts = flagFacts;
    this.#slots = slots;
  }
}

/** The facts of all flags, each once, by number. */
export function allFacts(flagFacts: EnvironmentModel["flagFacts"]): FlagFacts {
  return new Map([...flagFacts.values()].flatMap((facts) => [...facts]).sort(([a], [b]) => a - b));
}
