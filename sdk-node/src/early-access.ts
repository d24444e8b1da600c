import {
  ARRIVAL_MS_MAX,
  askEarlyAccess,
  type Client,
  type EarlyAccessGroup,
  type Membership,
  readGroups,
  readMembership,
} from "@signalbox/core";
import type { Transport } from "./transport.ts";

/**
 * Joining and leaving are requests to the server, unlike reads: they reject with an Error whose message says what to do. A unit is the
 * context's `key`, or whatever attribute the group goes by. The app decides who may ask; any unit is taken.
 */
export interface EarlyAccess {
  list(unit: string | number): Promise<readonly EarlyAccessGroup[]>;
  join(group: string, unit: string | number): Promise<Membership>;
  leave(group: string, unit: string | number): Promise<Membership>;
}

export function createEarlyAccess(transport: Transport, server: string, { reached }: Pick<Client, "reached">): EarlyAccess {
  async function change(verb: "join" | "leave", group: string, unit: string | number): Promise<Membership> {
    const path = `early-access/${encodeURIComponent(checkedText("group", group))}/${verb}`;
    const membership = readMembership(await askEarlyAccess(server, transport.call("POST", path, { unit: checkedUnit(unit) })));
    await reached(membership, ARRIVAL_MS_MAX);
    return membership;
  }

  return {
    async list(unit) {
      const path = `early-access?unit=${encodeURIComponent(checkedUnit(unit))}`;
      return readGroups(await askEarlyAccess(server, transport.call("GET", path)));
    },
    join: (group, unit) => change("join", group, unit),
    leave: (group, unit) => change("leave", group, unit),
  };
}

function checkedUnit(unit: string | number): string {
  return checkedText("unit", Number.isSafeInteger(unit) ? String(unit) : unit);
}

function checkedText(name: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw new TypeError(`signalbox: ${name} is ${JSON.stringify(value) ?? "missing"}, expected a text that is not empty`);
}
