import {
  ARRIVAL_MS_MAX,
  askEarlyAccess,
  type Client,
  type EarlyAccessGroup,
  type FactsAnswer,
  type Membership,
  readGroups,
  readMembership,
} from "@signalbox/core";

/**
 * For the context of the page. Requests to the server, unlike reads: they reject with an Error whose message says what to do. Without a
 * signed context a page can join only as who nobody else can be: what the server admits, it says.
 */
export interface EarlyAccess {
  list(): Promise<readonly EarlyAccessGroup[]>;
  join(group: string): Promise<Membership>;
  leave(group: string): Promise<Membership>;
}

/** `ask` says for whom; `keep` gets the facts that an answer brought. */
export function createEarlyAccess(
  server: string,
  client: Pick<Client, "facts" | "reached" | "status">,
  ask: (path: string) => Promise<{ readonly status: number; readonly text: string }>,
  keep: (answer: FactsAnswer) => void,
): EarlyAccess {
  async function change(verb: string, group: string): Promise<Membership> {
    const answer = await askEarlyAccess(server, ask(`early-access/${encodeURIComponent(group)}/${verb}`));
    const membership = readMembership(answer);
    const isKnown = client.facts?.take(answer.facts) === true;
    if (isKnown) keep(answer.facts as FactsAnswer);
    if (!isKnown || client.status.revision === undefined) await client.reached(membership, ARRIVAL_MS_MAX);
    return membership;
  }

  return {
    list: async () => readGroups(await askEarlyAccess(server, ask("early-access"))),
    join: (group) => change("join", group),
    leave: (group) => change("leave", group),
  };
}
