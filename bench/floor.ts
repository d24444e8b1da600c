/**
 * The floor: the least code that answers the workloads rightly. It interprets its rules, validates nothing, records nothing and
 * knows two operators. What an evaluator costs above it is the price of what it does besides.
 */
export interface FloorFlag {
  readonly enabled: boolean;
  readonly seed: number;
  readonly rules: readonly FloorRule[];
}

export interface FloorRule {
  /** The list of values of one attribute; absent for everyone. */
  readonly attribute?: string;
  readonly values?: ReadonlySet<unknown>;
  /** In hundred-thousandths. */
  readonly to: number;
}

export function floorIsOn(flags: ReadonlyMap<string, FloorFlag>, key: string, context: Readonly<Record<string, unknown>>): boolean {
  const flag = flags.get(key);
  if (!flag?.enabled) return false;
  for (const rule of flag.rules) {
    if (rule.attribute !== undefined && !rule.values?.has(context[rule.attribute])) continue;
    if (rule.to === 100_000 || bucket(flag.seed, context.key as string) < rule.to) return true;
  }
  return false;
}

/** murmur3 over char codes from a number that stands for the salt: right for ASCII only. */
function bucket(seed: number, unit: string): number {
  const length = unit.length;
  let hash = seed;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    let k = unit.charCodeAt(i) | (unit.charCodeAt(i + 1) << 8) | (unit.charCodeAt(i + 2) << 16) | (unit.charCodeAt(i + 3) << 24);
    k = Math.imul(k, 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    hash ^= k;
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  let k = 0;
  for (let shift = 0; i < length; i++, shift += 8) k |= unit.charCodeAt(i) << shift;
  k = Math.imul(k, 0xcc9e2d51);
  hash ^= Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  hash ^= length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % 100_000;
}
