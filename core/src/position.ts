import type { Position } from "./model.ts";

export function samePosition(a: Position, b: Position): boolean {
  return a.generation === b.generation && a.revision === b.revision;
}

/** Whether `a` is newer than `b`: after a database was restored, a newer generation with a lower revision is. */
export function isNewer(a: Position, b: Position): boolean {
  return a.generation > b.generation || (a.generation === b.generation && a.revision > b.revision);
}

/** `generation.revision` */
export function formatPosition(position: Position): string {
  return `${position.generation}.${position.revision}`;
}

/** Reads `generation.revision`; undefined for anything else. */
export function parsePosition(text: string): Position | undefined {
  const match = /^(\d{1,15})\.(\d{1,15})$/.exec(text);
  return match ? { generation: Number(match[1]), revision: Number(match[2]) } : undefined;
}
