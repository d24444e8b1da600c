import { type Client, type FactsAnswer, readDetail } from "@signalbox/core";

/** A group that visitors join and leave by themselves. */
export interface EarlyAccessGroup {
  readonly group: string;
  readonly name: string;
  readonly description: string;
  /** The attribute of the context that is the unit: `key`, `account.key`. */
  readonly by: string;
  readonly joined: boolean;
}

/** `revision` is the one from which on flags answer accordingly, here at once. */
export interface Membership {
  readonly group: string;
  readonly joined: boolean;
  readonly generation: number;
  readonly revision: number;
}

/**
 * For the context of the page. Requests to the server, unlike reads: they reject with an Error whose message says what to do. Without a
 * signed context a page can join only as who nobody else can be: what the server admits, it says.
 */
export interface EarlyAccess {
  list(): Promise<readonly EarlyAccessGroup[]>;
  join(group: string): Promise<Membership>;
  leave(group: string): Promise<Membership>;
}

export interface EarlyAccessOwner extends Pick<Client, "facts" | "reached" | "status"> {
  ask(path: string): Promise<{ readonly status: number; readonly text: string }>;
  keep(answer: FactsAnswer): void;
}

/** How long joining and leaving wait for the state if the answer brings no facts. */
const ARRIVAL_MS_MAX = 2_000;

type Fields = { readonly [field: string]: unknown };

export function createEarlyAccess(server: string, owner: EarlyAccessOwner): EarlyAccess {
  async function call(path: string): Promise<Fields> {
    const { status, text } = await owner.ask(path).catch((cause: unknown) => {
      throw new Error(`signalbox: ${server} could not be asked about early access; try again`, { cause });
    });
    if (status !== 200) throw new Error(`signalbox: ${readDetail(text) ?? `${server} answers ${status} when asked about early access`}`);
    return JSON.parse(text) as Fields;
  }

  async function change(verb: string, group: string): Promise<Membership> {
    const answer = await call(`early-access/${encodeURIComponent(group)}/${verb}`);
    const membership = {
      group: String(answer.group),
      joined: answer.joined === true,
      generation: Number(answer.generation),
      revision: Number(answer.revision),
    };
    const isKnown = owner.facts?.take(answer.facts) === true;
    if (isKnown) owner.keep(answer.facts as FactsAnswer);
    if (!isKnown || owner.status.revision === undefined) await owner.reached(membership, ARRIVAL_MS_MAX);
    return membership;
  }

  return {
    async list() {
      const { groups } = await call("early-access");
      return (Array.isArray(groups) ? (groups as readonly Fields[]) : []).map((row) => ({
        group: String(row.group),
        name: String(row.name ?? row.group),
        description: String(row.description ?? ""),
        by: String(row.by ?? "key"),
        joined: row.joined === true,
      }));
    },
    join: (group) => change("join", group),
    leave: (group) => change("leave", group),
  };
}
