import { createHash } from "node:crypto";
import { type Entry, type Hex64, xor64, xorAll } from "@signalbox/core";

type Unsigned<E> = E extends Entry ? Omit<E, "fp"> : never;
/** An entry before its fingerprint. */
export type EntryBody = Unsigned<Entry>;

/**
 * The fingerprint of an entry in its projection: the first 64 bits of SHA-256 over kind, key and canonical JSON. The members of a
 * list are left out of the bytes and their hashes XORed in, so that one member more costs one XOR and not the whole list.
 */
export function fingerprint(body: EntryBody): Hex64 {
  if (body.kind !== "group" || !body.list) return hash64(body.kind, body.key, canonicalJson(body));
  const { members, ...list } = body.list;
  return xor64(xorAll(members), hash64(body.kind, body.key, canonicalJson({ ...body, list })));
}

/** The fingerprint of a list group after its members changed, from the one before: `changes` are the hashes that came or went. */
export function fingerprintAfter(before: Hex64, changes: readonly Hex64[]): Hex64 {
  return xor64(before, xorAll(changes));
}

function hash64(kind: string, key: string, json: string): Hex64 {
  return createHash("sha256").update(`${kind}\n${key}\n${json}`).digest("hex").slice(0, 16);
}

/** JSON with sorted keys and without undefined fields: equal values have equal text. Keys sort by UTF-16 units. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, field: unknown) => {
    if (typeof field !== "object" || field === null || Array.isArray(field)) return field;
    return Object.fromEntries(Object.entries(field).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** True if two values have the same canonical JSON. */
export function sameJson(a: unknown, b: unknown): boolean {
  return a === b || canonicalJson(a) === canonicalJson(b);
}
