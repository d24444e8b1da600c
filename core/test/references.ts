import { isIP } from "node:net";
import type { Condition } from "../src/index.ts";

/**
 * Second implementations, as plain as can be and sharing nothing with the core: property tests compare the two.
 * True, false, or undefined for unknown.
 */
export type Verdict = boolean | undefined;

/** The three-valued meaning of a condition, one small function for each clause of the design, nothing compiled. Facts and groups are unknown. */
export function reference(condition: Condition, context: Record<string, unknown>, now?: number): Verdict {
  switch (condition.op) {
    case "all": {
      const parts = condition.of.map((part) => reference(part, context, now));
      return parts.includes(false) ? false : parts.includes(undefined) ? undefined : true;
    }
    case "any":
      return anyOf(condition.of.map((part) => reference(part, context, now)));
    case "not": {
      const inner = reference(condition.of, context, now);
      return inner === undefined ? undefined : !inner;
    }
    case "fact":
    case "group":
      return undefined;
    case "exists":
      return (read(context, condition.attribute) ?? null) !== null;
    default: {
      const value = condition.attribute === undefined ? now : read(context, condition.attribute);
      return Array.isArray(value) ? anyOf(value.map((one) => leaf(condition, one))) : leaf(condition, value);
    }
  }
}

function anyOf(parts: readonly Verdict[]): Verdict {
  return parts.includes(true) ? true : parts.includes(undefined) ? undefined : false;
}

function read(context: Record<string, unknown>, name: string): unknown {
  if (Object.hasOwn(context, name)) return context[name];
  const [outer, inner] = name.split(".");
  const held = outer === undefined ? undefined : context[outer];
  return inner !== undefined && held ? (held as Record<string, unknown>)[inner] : undefined;
}

type Leaf = Exclude<Condition, { op: "all" | "any" | "not" | "exists" | "group" | "fact" }>;

function leaf(condition: Leaf, value: unknown): Verdict {
  switch (condition.op) {
    case "number":
      return typeof value === "number" && !Number.isNaN(value) ? compared(condition.is, value - condition.value) : undefined;
    case "in": {
      if (!["string", "number", "boolean"].includes(typeof value) || Number.isNaN(value)) return undefined;
      const types = new Set(condition.values.map((one) => typeof one));
      if (types.size > 0 && !types.has(typeof value as "string")) return undefined;
      return condition.values.some((one) => folded(condition, one) === folded(condition, value));
    }
    case "contains":
    case "startsWith":
    case "endsWith": {
      if (typeof value !== "string") return undefined;
      const given = folded(condition, value);
      return condition.values
        .map((one) => folded(condition, one))
        .some((one) => {
          if (condition.op === "contains") return given.split(one).length > 1 || one === "";
          return (condition.op === "startsWith" ? given.slice(0, one.length) : given.slice(given.length - one.length)) === one;
        });
    }
    case "matches":
      // Only for patterns that mean the same in JavaScript.
      if (typeof value !== "string" || value.length > condition.textLengthMax) return undefined;
      return condition.values.some((pattern) => new RegExp(pattern, condition.ignoreCase ? "iu" : "u").test(value));
    case "semver": {
      const order = typeof value === "string" ? versionOrder(value, condition.value) : undefined;
      return order === undefined ? undefined : compared(condition.is, order);
    }
    case "date": {
      const local = typeof value === "string" && isoDate(value) && !hasZone(value);
      const at = typeof value === "string" ? instant(value) : value;
      if (typeof at !== "number" || !Number.isInteger(at) || Math.abs(at) > 8.64e15) return undefined;
      return compared(condition.is, at - (local ? (instant(condition.value) as number) : condition.at));
    }
    case "cidr":
      return isInRanges(value, condition.values);
  }
}

function folded<T>({ ignoreCase }: { readonly ignoreCase?: boolean }, value: T): T {
  return ignoreCase && typeof value === "string" ? (value.toLowerCase() as T) : value;
}

function compared(is: string, order: number): boolean {
  return { "<": order < 0, "<=": order <= 0, ">": order > 0, ">=": order >= 0, "=": order === 0, "!=": order !== 0 }[is] as boolean;
}

/** The regular expression that semver.org suggests, with a leading v and without minor or patch besides. */
const SEMVER =
  /^v?(0|[1-9]\d*)(?:\.(0|[1-9]\d*))?(?:\.(0|[1-9]\d*))?(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$/i;

/** -1, 0 or 1 by clause 11 of Semantic Versioning; undefined if one of the two is no version. */
export function versionOrder(a: string, b: string): number | undefined {
  const [one, other] = [SEMVER.exec(a), SEMVER.exec(b)];
  if (!one || !other || a.length > 256 || b.length > 256) return undefined;
  for (const part of [1, 2, 3]) {
    const order = sign(BigInt(one[part] ?? 0), BigInt(other[part] ?? 0));
    if (order !== 0) return order;
  }
  if (one[4] === undefined || other[4] === undefined) return sign(Number(one[4] === undefined), Number(other[4] === undefined));
  const [mine, theirs] = [one[4].split("."), other[4].split(".")];
  for (let i = 0; i < Math.max(mine.length, theirs.length); i++) {
    const [x, y] = [mine[i], theirs[i]];
    if (x === undefined) return -1;
    if (y === undefined) return 1;
    const [xIsNumber, yIsNumber] = [/^\d+$/.test(x), /^\d+$/.test(y)];
    const order = xIsNumber && yIsNumber ? sign(BigInt(x), BigInt(y)) : xIsNumber ? -1 : yIsNumber ? 1 : sign(x, y);
    if (order !== 0) return order;
  }
  return 0;
}

function sign<T extends bigint | number | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** JavaScript reads much more than ISO 8601 as a date. */
function isoDate(text: string): boolean {
  return /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)?)?$/.test(text) && !Number.isNaN(Date.parse(text));
}

function hasZone(text: string): boolean {
  return text.includes("T") && /(Z|[+-]\d\d:\d\d)$/.test(text);
}

/** A text without a zone is taken as UTC. */
function instant(text: string): number | undefined {
  return isoDate(text) ? Date.parse(hasZone(text) || !text.includes("T") ? text : `${text}Z`) : undefined;
}

/** Addresses as one number of 128 bits. An IPv4 address is the IPv6 address that maps it, but in no range that is wider than all of those. */
export function isInRanges(value: unknown, ranges: readonly string[]): Verdict {
  const address = addressBits(value);
  if (address === undefined) return undefined;
  return ranges.some((range) => {
    const [text = "", prefix] = range.split("/");
    const start = addressBits(text) ?? 0n;
    const length = BigInt(prefix ?? 128) + (isIP(text) === 4 && prefix !== undefined ? 96n : 0n);
    if (length < 96n && address >> 32n === 0xffffn) return false;
    return address >> (128n - length) === start >> (128n - length);
  });
}

/** By the URL parser of the runtime, which writes an IPv6 address in its shortest form. */
function addressBits(text: unknown): bigint | undefined {
  if (typeof text !== "string" || text.includes("%")) return undefined;
  if (isIP(text) === 4) return (0xffffn << 32n) + text.split(".").reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  if (isIP(text) !== 6) return undefined;
  const [head = "", tail] = new URL(`http://[${text}]/`).hostname.slice(1, -1).split("::");
  const groups = (part: string | undefined): string[] => (part ? part.split(":") : []);
  const middle = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length;
  const all = [...groups(head), ...Array<string>(middle).fill("0"), ...groups(tail)];
  return all.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
}

/** Where a slice ends at a time, by exact arithmetic. */
export function endOf(
  { kind, points }: { readonly kind: "steps" | "line"; readonly points: readonly { readonly at: number; readonly to: number }[] },
  before: number,
  now: number,
): number {
  const past = points.filter(({ at }) => at <= now);
  const last = past.at(-1);
  if (!last) return before;
  const next = points[past.length];
  if (kind === "steps" || !next) return last.to;
  const [rise, gone, whole] = [BigInt(next.to - last.to), BigInt(now - last.at), BigInt(next.at - last.at)];
  const product = rise * gone;
  // BigInt division cuts off; rounding down differs for what falls.
  const floor = product >= 0n || product % whole === 0n ? product / whole : product / whole - 1n;
  return last.to + Number(floor);
}
