import { type Context, type Entry, type EntryId, type Evaluation, evaluate, type FlagBody, loadEntries, type State } from "@signalbox/core";
import { signed } from "../store/project.ts";
import { regex } from "./patterns.ts";

/** Evaluates exactly as a program with an SDK does that holds these entries: the same function on the same state. */
export function preview(
  entries: ReadonlyMap<EntryId, Entry>,
  flagKey: string,
  context: Context,
  now: number,
  edited?: FlagBody,
): Evaluation {
  return evaluate(edited ? editedState(entries, edited) : committedState(entries), flagKey, context, {
    clock: () => now,
  });
}

/** States of entries, made when they are first asked for; gone with the entries. */
const STATES = new WeakMap<ReadonlyMap<EntryId, Entry>, State>();

/** The state of a program that holds these entries. */
export function committedState(entries: ReadonlyMap<EntryId, Entry>): State {
  const known = STATES.get(entries);
  if (known) return known;
  const state = loadEntries(entries.values(), { regex });
  STATES.set(entries, state);
  return state;
}

/** The state of a program that holds these entries, but another version of one flag. */
export function editedState(entries: ReadonlyMap<EntryId, Entry>, edited: FlagBody): State {
  return loadEntries(new Map(entries).set(`flag:${edited.key}`, signed(edited)).values(), { regex });
}
