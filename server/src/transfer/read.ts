import type { z } from "zod";
import { issuesIn } from "../http/validation.ts";
import type { Turn } from "../turns.ts";
import { flagDocument, groupDocument, type ProjectDocument, projectDocument } from "./document.ts";

/** What speaks against a file, and where in it: a JSON pointer (RFC 6901). */
export interface Objection {
  readonly pointer: string;
  readonly message: string;
}

/** The document, and what in it has not the form that it must have: what has not is left out of the document. */
export interface Read {
  readonly document: ProjectDocument | undefined;
  readonly objections: readonly Objection[];
}

/** Objections are looked for up to so many. */
export const OBJECTIONS_MAX = 1_000;

/** Looks at each flag and group by itself, so that others get their turn, and so that every objection is found at once. */
export async function readDocument(input: unknown, turn: Turn): Promise<Read> {
  const objections: Objection[] = [];
  const shell = parsed(projectDocument, input, "", objections);
  if (!shell) return { document: undefined, objections };

  async function each<S extends z.ZodType>(schema: S, all: readonly unknown[], at: string): Promise<z.infer<S>[]> {
    const good: z.infer<S>[] = [];
    for (const [index, one] of all.entries()) {
      await turn();
      if (objections.length >= OBJECTIONS_MAX) break;
      const document = parsed(schema, one, `${at}/${index}`, objections);
      if (document) good.push(document);
    }
    return good;
  }

  const environments: ProjectDocument["environments"][number][] = [];
  for (const [index, environment] of shell.environments.entries()) {
    environments.push({ ...environment, groups: await each(groupDocument, environment.groups, `/environments/${index}/groups`) });
  }
  const flags = await each(flagDocument, shell.flags, "/flags");
  return { document: { ...shell, environments, flags }, objections };
}

function parsed<S extends z.ZodType>(schema: S, input: unknown, at: string, objections: Objection[]): z.infer<S> | undefined {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  for (const { path, message } of issuesIn(result.error, input)) objections.push({ pointer: pointer(at, ...path), message });
  return undefined;
}

/** Appends names and numbers to a pointer. */
export function pointer(at: string, ...parts: readonly (string | number)[]): string {
  return at + parts.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}
