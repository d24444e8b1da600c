import { and, asc, eq, gte, inArray, like, notInArray } from "drizzle-orm";
import { type NameOf, readNames } from "../store/actors.ts";
import type { EnvironmentModel, FlagRecord } from "../store/model.ts";
import type { Tx } from "../store/rows.ts";
import { tables } from "../store/schema.sqlite.ts";

/** Of so many edits and flags a sentence tells; the others are behind a count. */
const EDITS_MAX = 100;
const FLAGS_MAX = 3;

/** Why flags whose configuration was edited after their kill are not restored by somebody who may not edit: what was edited, and who may. */
export async function whyNotRestored(tx: Tx, { info }: EnvironmentModel, edited: readonly FlagRecord[]): Promise<string> {
  const told: string[] = [];
  const nameOf = await readNames(tx);
  for (const flag of edited.slice(0, FLAGS_MAX)) told.push(`"${flag.identity.key}" (${await editsSince(tx, nameOf, info.id, flag)})`);
  const more = edited.length > FLAGS_MAX ? ` and ${edited.length - FLAGS_MAX} more flags` : "";
  const who = info.production ? "releasers and admins" : "editors, releasers and admins";
  return `The configuration of ${told.join(", ")}${more} was edited after the kill, so restoring would bring back something else than what was killed. Whoever may edit in ${info.key} can restore it: ${who}.`;
}

/** `mode and rules, by ana`: from the audit, which names a flag by the key of its day. */
async function editsSince(tx: Tx, nameOf: NameOf, environmentId: number, { identity, killed }: FlagRecord): Promise<string> {
  const { audit } = tables;
  const rows = await tx
    .select({ by: audit.by, after: audit.after })
    .from(audit)
    .where(
      and(
        eq(audit.environmentId, environmentId),
        inArray(audit.target, [identity.key, ...identity.aliases]),
        gte(audit.at, killed?.at ?? 0),
        like(audit.action, "flag.%"),
        notInArray(audit.action, ["flag.kill", "flag.restore", "flag.edit", "flag.rename"]),
      ),
    )
    .orderBy(asc(audit.id))
    .limit(EDITS_MAX);
  const fields = new Set(rows.flatMap(({ after }) => (isFields(after) ? Object.keys(after) : [])));
  const people = new Set(rows.map(({ by }) => nameOf(by)));
  const what = fields.size > 0 ? [...fields].join(", ") : "what it serves";
  return people.size > 0 ? `${what}, by ${[...people].join(" and ")}` : what;
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
