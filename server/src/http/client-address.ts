import { type AddressRange, isInRange, parseAddress, parseRange } from "@signalbox/core";

/** Which proxies in front of this server are believed: so many, those with these addresses, or none. */
export type TrustedProxies =
  | { readonly kind: "hops"; readonly hops: number }
  | { readonly kind: "ranges"; readonly ranges: readonly AddressRange[] };

export const NO_PROXIES: TrustedProxies = { kind: "hops", hops: 0 };
export const HOPS_MAX = 10;

/** The address that a request comes from, given that of its connection and its X-Forwarded-For; undefined when it is not known. */
export type ClientAddress = (connection: string | undefined, forwardedFor: string | undefined) => string | undefined;

/**
 * Each proxy adds at the end of X-Forwarded-For whom it was asked by, so the header is read from its end, and only as far as proxies are
 * trusted: what stands before that anybody can have written. A trusted proxy that names no address leaves it unknown.
 */
export function createClientAddress(trusted: TrustedProxies): ClientAddress {
  return (connection, forwardedFor) => {
    const own = readAddress(connection);
    if (own === undefined || (trusted.kind === "hops" && trusted.hops === 0)) return own;
    if (forwardedFor === undefined) return trusted.kind === "hops" || isTrusted(own, trusted.ranges) ? undefined : own;
    const way = [...forwardedFor.split(",").map(readAddress), own];
    if (trusted.kind === "hops") return way[Math.max(0, way.length - 1 - trusted.hops)];
    for (let at = way.length - 1; ; at--) {
      const address = way[at];
      if (at === 0 || address === undefined || !isTrusted(address, trusted.ranges)) return address;
    }
  };
}

function isTrusted(address: string, ranges: readonly AddressRange[]): boolean {
  const parts = parseAddress(address);
  return parts !== undefined && ranges.some((range) => isInRange(parts, range));
}

/** An address as proxies write it: some add a port, some put brackets around IPv6. An IPv4 address inside an IPv6 one is written as IPv4. */
function readAddress(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const trimmed = text.trim();
  const bare = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(trimmed)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(trimmed)?.[1] ?? trimmed;
  const plain = /^::ffff:([\d.]+)$/i.exec(bare)?.[1] ?? bare;
  return parseAddress(plain) && plain;
}

/** Reads the setting: a count of proxies, or addresses and ranges with commas between. Undefined if it is neither. */
export function parseTrustedProxies(text: string): TrustedProxies | undefined {
  if (/^\d{1,2}$/.test(text)) return Number(text) <= HOPS_MAX ? { kind: "hops", hops: Number(text) } : undefined;
  const ranges = text.split(",").map((one) => parseRange(one.trim()));
  return ranges.every((range) => range !== undefined) ? { kind: "ranges", ranges } : undefined;
}
