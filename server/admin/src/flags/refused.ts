import type { Issue } from "../problems.tsx";
import { type Fields, same } from "./draft.ts";

/** A save that the server refused: what it said, and the state that it said it of. */
export interface Refused {
  readonly issues: readonly Issue[];
  readonly fields: Fields;
}

/** What still stands: of a field, a rule or a variant that was edited since, nothing does. */
export function standing(refused: Refused | undefined, now: Fields): readonly Issue[] {
  return refused?.issues.filter(({ path }) => same(partAt(refused.fields, path), partAt(now, path))) ?? [];
}

function partAt(fields: Fields, path: string): unknown {
  const [name = "", part = ""] = path.split(".");
  const field: unknown = Reflect.get(fields, name);
  return typeof field === "object" && field !== null ? (Reflect.get(field, part) ?? field) : field;
}
