import { crc32 } from "node:zlib";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** 62^6 is more than a CRC-32 has values. */
const LENGTH = 6;

/** Six characters at the end of a key or token: a scanner for secrets knows it for one, and half a copy is told from a wrong one. */
export function withChecksum(text: string): string {
  return text + checksumOf(text);
}

/** Whether the last six characters belong to those before. */
export function hasChecksum(text: string): boolean {
  return text.length > LENGTH && checksumOf(text.slice(0, -LENGTH)) === text.slice(-LENGTH);
}

function checksumOf(text: string): string {
  let rest = crc32(text);
  let digits = "";
  for (let place = 0; place < LENGTH; place += 1) {
    digits = DIGITS[rest % DIGITS.length] + digits;
    rest = Math.floor(rest / DIGITS.length);
  }
  return digits;
}
