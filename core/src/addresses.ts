/** A range of addresses. Addresses are of eight numbers of 16 bits; an IPv4 address is the IPv6 address that maps it (::ffff:a.b.c.d). */
export interface AddressRange {
  readonly parts: readonly number[];
  /** How many leading bits count, of 128. */
  readonly bits: number;
}

const V4_BITS = 96;
/** The longest text of an address: an IPv6 address that ends in an IPv4 address. */
const ADDRESS_LENGTH_MAX = 45;

/** Reads `10.0.0.0/8`, `2001:db8::/32` or an address alone. Undefined for anything else; bits after the prefix are not looked at. */
export function parseRange(text: string): AddressRange | undefined {
  const slash = text.indexOf("/");
  const address = slash < 0 ? text : text.slice(0, slash);
  const parts = parseAddress(address);
  if (!parts) return undefined;
  if (slash < 0) return { parts, bits: 128 };
  const digits = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(digits)) return undefined;
  // "10.0.0.0/8" counts bits of the IPv4 address, "::ffff:10.0.0.0/104" those of the IPv6 address.
  const bits = Number(digits) + (address.includes(":") ? 0 : V4_BITS);
  return bits <= 128 ? { parts, bits } : undefined;
}

/** An IPv4 address is in no range of IPv6 addresses that is wider than all of IPv4: `::/0` is not meant to hold 10.0.0.1. */
export function isInRange(address: readonly number[], { parts, bits }: AddressRange): boolean {
  if (bits < V4_BITS && isV4(address)) return false;
  for (let i = 0, left = bits; left > 0; i++, left -= 16) {
    const differing = (address[i] ?? 0) ^ (parts[i] ?? 0);
    if (left >= 16 ? differing !== 0 : differing >>> (16 - left) !== 0) return false;
  }
  return true;
}

function isV4(address: readonly number[]): boolean {
  return address[5] === 0xffff && address.every((part, index) => index > 4 || part === 0);
}

/** Reads an IPv4 address in four decimal numbers, or an IPv6 address (RFC 4291, 2.2; no zone). Undefined for anything else. */
export function parseAddress(text: string): number[] | undefined {
  if (text.length > ADDRESS_LENGTH_MAX) return undefined;
  if (!text.includes(":")) {
    const v4 = parseV4(text);
    return v4 && [0, 0, 0, 0, 0, 0xffff, ...v4];
  }
  const gap = text.indexOf("::");
  if (gap < 0) {
    const parts = parseGroups(text);
    return parts?.length === 8 ? parts : undefined;
  }
  const head = parseGroups(text.slice(0, gap));
  const tail = parseGroups(text.slice(gap + 2));
  if (!head || !tail || head.length + tail.length > 7) return undefined;
  if (text.slice(0, gap).includes(".")) return undefined; // an IPv4 address stands at the end only
  return [...head, ...Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

function parseGroups(text: string): number[] | undefined {
  if (text === "") return [];
  const parts: number[] = [];
  const groups = text.split(":");
  for (const [index, group] of groups.entries()) {
    if (group.includes(".")) {
      const v4 = index === groups.length - 1 ? parseV4(group) : undefined;
      if (!v4) return undefined;
      parts.push(...v4);
    } else if (/^[0-9A-Fa-f]{1,4}$/.test(group)) parts.push(Number.parseInt(group, 16));
    else return undefined;
  }
  return parts;
}

/** Two numbers of 16 bits. A leading zero is refused: some programs read it as octal. */
function parseV4(text: string): [number, number] | undefined {
  const found = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!found) return undefined;
  const bytes = found.slice(1).map((digits) => (digits.length > 1 && digits.startsWith("0") ? 256 : Number(digits)));
  if (bytes.some((byte) => byte > 255)) return undefined;
  const [a = 0, b = 0, c = 0, d = 0] = bytes;
  return [a * 256 + b, c * 256 + d];
}
