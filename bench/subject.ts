import type { FlagSpec, Person } from "./workloads.ts";

/** Somebody's way to answer for flags: ours, a floor, a peer. */
export interface Subject {
  /** What its server would send for these flags. */
  wire(flags: readonly FlagSpec[]): string;
  /** From that text to something that answers. What it still has to do at the first answer is its own business. */
  open(wire: string): Promise<Reader>;
}

export interface Reader {
  /** The person in the subject's own shape: made before anything is timed. */
  context(person: Person): unknown;
  /** `ask` answers with a promise. */
  readonly async?: boolean;
  ask(key: string, context: unknown): boolean | Promise<boolean>;
  /** All flags in one call, if there is one; `isOnIn` reads one of its answers and is not timed. */
  all?(context: unknown): unknown;
  isOnIn?(all: unknown, key: string): boolean;
  /** Resolves when it stands as it does in a program that has run for a while; it may answer before. */
  settled?(): Promise<void>;
  close?(): unknown;
}
