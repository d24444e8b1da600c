import { type Context, contextHash, type Flags, type Json } from "@signalbox/core";

/** What a page is told of flags: answers and a hash of whom they are for, never rules. */
export interface Dehydrated {
  readonly contextHash: string;
  readonly generation: number | undefined;
  readonly revision: number | undefined;
  readonly flags: { readonly [flag: string]: readonly [variant: string, value: Json] };
}

/**
 * The answers of these flags for a context as JSON that is safe inside a script element, for the `bootstrap` of @signalbox/browser. Flags
 * that are not known are left out. The flags are named because a page must not hear of others: a Node program sees also those that are not
 * marked for browsers. Not counted as evaluations; throws TypeError for a context that has no JSON.
 */
export function dehydrate(flags: Pick<Flags, "explain" | "status">, context: Context, keys: readonly string[]): string {
  const answers = keys.flatMap((key) => {
    const { variant, value } = flags.explain(key, context);
    return variant === undefined ? [] : [[key, [variant, value as Json]] as const];
  });
  const { generation, revision } = flags.status;
  const page: Dehydrated = { contextHash: contextHash(context), generation, revision, flags: Object.fromEntries(answers) };
  // In HTML a script ends at "</script" and hides one at "<!--", wherever they stand.
  return JSON.stringify(page).replaceAll("<", "\\u003c");
}
