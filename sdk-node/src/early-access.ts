import { type Client, readDetail } from "@signalbox/core";
import type { Transport } from "./transport.ts";

/** A group that units join and leave by themselves. */
export interface EarlyAccessGroup {
  readonly group: string;
  readonly name: string;
  readonly description: string;
  /** The attribute whose value is the unit: `key`, `account.key`. */
  readonly by: string;
  readonly joined: boolean;
}

/**
 * `revision` is the one from which on flags answer accordingly. This program is there when this returns, so that the next read knows it;
 * only if the stream is slow or down is it still on its way, after two seconds. To other programs it is on its way.
 */
export interface Membership {
  readonly group: string;
  readonly joined: boolean;
  readonly generation: number;
  readonly revision: number;
}

/**
 * Joining and leaving are requests to the server, unlike reads: they reject with an Error whose message says what to do. A unit is the
 * context's `key`, or whatever attribute the group goes by. The app decides who may ask; any unit is taken.
 */
export interface EarlyAccess {
  list(unit: string | number): Promise<readonly EarlyAccessGroup[]>;
  join(group: string, unit: string | number): Promise<Membership>;
  leave(group: string, unit: string | number): Promise<Membership>;
}

/** How long joining and leaving wait for this program to have the change. */
const ARRIVAL_MS_MAX = 2_000;

export function createEarlyAccess(transport: Transport, server: string, { reached }: Pick<Client, "reached">): EarlyAccess {
  async function call(method: "GET" | "POST", path: string, body?: object): Promise<Fields> {
    const { status, text } = await transport.call(method, path, body).catch((cause: unknown) => {
      throw new Error(`signalbox: ${server} could not be asked about early access; try again`, { cause });
    });
    if (status !== 200) throw new Error(`signalbox: ${readDetail(text) ?? `${server} answers ${status} when asked about early access`}`);
    const answer: unknown = JSON.parse(text);
    if (typeof answer !== "object" || answer === null) throw new Error(`signalbox: ${server} gives no answer about early access`);
    return answer as Fields;
  }

  async function change(verb: "join" | "leave", group: string, unit: string | number): Promise<Membership> {
    const answer = await call("POST", `early-access/${encodeURIComponent(checkedText("group", group))}/${verb}`, {
      unit: checkedUnit(unit),
    });
    const membership: Membership = {
      group: String(answer.group),
      joined: answer.joined === true,
      generation: Number(answer.generation),
      revision: Number(answer.revision),
    };
    await reached(membership, ARRIVAL_MS_MAX);
    return membership;
  }

  return {
    async list(unit) {
      const answer = await call("GET", `early-access?unit=${encodeURIComponent(checkedUnit(unit))}`);
      const groups = Array.isArray(answer.groups) ? (answer.groups as readonly Fields[]) : [];
      return groups.map((row) => ({
        group: String(row.group),
        name: String(row.name ?? row.group),
        description: String(row.description ?? ""),
        by: String(row.by ?? "key"),
        joined: row.joined === true,
      }));
    },
    join: (group, unit) => change("join", group, unit),
    leave: (group, unit) => change("leave", group, unit),
  };
}

type Fields = { readonly [field: string]: unknown };

function checkedUnit(unit: string | number): string {
  return checkedText("unit", Number.isSafeInteger(unit) ? String(unit) : unit);
}

function checkedText(name: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  throw new TypeError(`signalbox: ${name} is ${JSON.stringify(value) ?? "missing"}, expected a text that is not empty`);
}
