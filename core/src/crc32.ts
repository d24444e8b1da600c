import { utf8 } from "./utf8.ts";

let table: Int32Array | undefined;

/**
 * The checksum of a text's UTF-8 bytes, eight lower-case hexadecimal digits: CRC-32 as in gzip and Ethernet (ISO 3309, polynomial
 * 0xEDB88320 reflected), which finds every single wrong byte.
 */
export function crc32(text: string): string {
  table ??= Int32Array.from({ length: 256 }, (_, byte) => {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
    return value;
  });
  let crc = -1;
  for (const byte of utf8(text)) crc = (table[(crc ^ byte) & 255] ?? 0) ^ (crc >>> 8);
  return (~crc >>> 0).toString(16).padStart(8, "0");
}
