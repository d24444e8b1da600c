import type { Json } from "./model.ts";

/** Contexts in one report, the server's limit, and how often one is taken at most. */
export const SAMPLED_MAX = 20;
const SAMPLE_EVERY_MS = 1_000;
/** Of a context: attributes that are taken, and characters of each as JSON; a longer one is left out. */
export const SAMPLED_ATTRIBUTES_MAX = 64;
export const SAMPLED_VALUE_LENGTH_MAX = 1_024;
/** UTF-8 bytes of all contexts of a report together: with `REPORT_BYTES_MAX` for the rest it stays below what the server takes. */
const SAMPLED_BYTES_MAX = 12 * 1024;

type Sampled = { readonly [attribute: string]: Json };

/** Some of the contexts that are evaluated for, kept for the next report. Only while the server asks for them. */
export interface ContextSample {
  /** Whether the server asks for contexts. When it no longer does, those that are kept are forgotten. */
  ask(wanted: boolean): void;
  add(context: unknown): void;
  take(): readonly Sampled[] | undefined;
}

/** `want` is told whenever it changes whether the next context is wanted. */
export function createContextSample(
  after: (ms: number, run: () => void, hold: boolean) => () => void,
  want: (wanted: boolean) => void,
): ContextSample {
  let asked = false;
  let kept: Sampled[] = [];
  let bytes = 0;
  let cancel = () => {};

  function forget(): void {
    kept = [];
    bytes = 0;
  }

  return {
    ask(wanted) {
      if (wanted === asked) return;
      asked = wanted;
      cancel();
      want(wanted);
      if (!wanted) forget();
    },
    add(context) {
      if (!asked) return;
      want(false);
      cancel = after(SAMPLE_EVERY_MS, () => want(asked), false);
      if (kept.length >= SAMPLED_MAX) return;
      const text = asJson(context);
      if (text === undefined || bytes + bytesMax(text) > SAMPLED_BYTES_MAX) return;
      kept.push(JSON.parse(text) as Sampled);
      bytes += bytesMax(text);
    },
    take() {
      if (kept.length === 0) return undefined;
      const taken = kept;
      forget();
      return taken;
    },
  };
}

/** At most three bytes for each character outside ASCII. */
function bytesMax(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant.
  return text.length + 2 * text.replace(/[\x00-\x7f]+/g, "").length;
}

/** What of a context is taken, as JSON; undefined when that is nothing. Never throws: getters and proxies of the caller may. */
function asJson(context: unknown): string | undefined {
  if (typeof context !== "object" || context === null || Array.isArray(context)) return undefined;
  try {
    const parts: string[] = [];
    for (const name of Object.keys(context).slice(0, SAMPLED_ATTRIBUTES_MAX)) {
      const value: string | undefined = JSON.stringify((context as Record<string, unknown>)[name]);
      if (value !== undefined && value.length <= SAMPLED_VALUE_LENGTH_MAX && name.length <= 100)
        parts.push(`${JSON.stringify(name)}:${value}`);
    }
    return parts.length === 0 ? undefined : `{${parts.join()}}`;
  } catch {
    return undefined;
  }
}
