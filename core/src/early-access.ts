import { readDetail, readJson } from "./answer.ts";
import { isObject } from "./attribute.ts";

/** A group that units join and leave by themselves. */
export interface EarlyAccessGroup {
  readonly group: string;
  readonly name: string;
  readonly description: string;
  /** The attribute of the context whose value is the unit: `key`, `account.key`. */
  readonly by: string;
  readonly joined: boolean;
}

/**
 * `revision` is the one from which on flags answer accordingly. Who asked is there when this is given, so that the next read knows it; only if
 * the stream is slow or down is it still on its way, after two seconds. To other programs and pages it is on its way.
 */
export interface Membership {
  readonly group: string;
  readonly joined: boolean;
  readonly generation: number;
  readonly revision: number;
}

/** How long joining and leaving wait for the change to arrive. */
export const ARRIVAL_MS_MAX = 2_000;

type Fields = { readonly [field: string]: unknown };

/** The fields of the answer. Rejects with an Error whose message says what to do. */
export async function askEarlyAccess(server: string, asking: Promise<{ readonly status: number; readonly text: string }>): Promise<Fields> {
  const { status, text } = await asking.catch((cause: unknown) => {
    throw new Error(`signalbox: ${server} could not be asked about early access; try again`, { cause });
  });
  const answer = status === 200 ? readJson(text) : undefined;
  if (!isObject(answer)) throw new Error(`signalbox: ${readDetail(text) ?? `${server} answers ${status} about early access`}`);
  return answer;
}

export function readGroups({ groups }: Fields): readonly EarlyAccessGroup[] {
  return (Array.isArray(groups) ? (groups as readonly Fields[]) : []).map((row) => ({
    group: String(row.group),
    name: String(row.name ?? row.group),
    description: String(row.description ?? ""),
    by: String(row.by ?? "key"),
    joined: row.joined === true,
  }));
}

export function readMembership(answer: Fields): Membership {
  return {
    group: String(answer.group),
    joined: answer.joined === true,
    generation: Number(answer.generation),
    revision: Number(answer.revision),
  };
}
