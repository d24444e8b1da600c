/** A version of Semantic Versioning 2.0.0, without its build metadata, which has no part in the order. */
export interface Version {
  readonly major: string;
  readonly minor: string;
  readonly patch: string;
  /** Identifiers of the prerelease; empty for a release. */
  readonly prerelease: readonly string[];
}

/** Longer texts are no versions: comparing stays quick whatever an app sends. */
export const VERSION_LENGTH_MAX = 256;

const NUMBER = "(0|[1-9]\\d*)";
const IDENTIFIER = "(?:0|[1-9]\\d*|\\d*[A-Za-z-][0-9A-Za-z-]*)";
const VERSION = new RegExp(
  `^[vV]?${NUMBER}(?:\\.${NUMBER}(?:\\.${NUMBER})?)?(?:-(${IDENTIFIER}(?:\\.${IDENTIFIER})*))?(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?$`,
);

/**
 * Reads `1.2.3-rc.1+build`; a leading v is passed over, and a missing minor or patch is 0, as mobile apps write theirs.
 * Undefined for anything else: a part with a leading zero, an empty identifier, more than 256 characters.
 */
export function parseVersion(text: string): Version | undefined {
  const found = text.length <= VERSION_LENGTH_MAX ? VERSION.exec(text) : null;
  if (!found) return undefined;
  const [, major = "0", minor = "0", patch = "0", prerelease] = found;
  return { major, minor, patch, prerelease: prerelease === undefined ? [] : prerelease.split(".") };
}

/** Negative, 0 or positive: the precedence of semver.org 2.0.0, clause 11. Numbers of any length are compared exactly. */
export function compareVersions(a: Version, b: Version): number {
  return (
    compareNumbers(a.major, b.major) ||
    compareNumbers(a.minor, b.minor) ||
    compareNumbers(a.patch, b.patch) ||
    comparePrereleases(a.prerelease, b.prerelease)
  );
}

/** A release comes after its prereleases; of two prereleases with the same beginning the longer one comes later. */
function comparePrereleases(a: readonly string[], b: readonly string[]): number {
  if (a.length === 0 || b.length === 0) return b.length - a.length;
  for (const [index, one] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    const order = compareIdentifiers(one, other);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** Numbers come before texts. */
function compareIdentifiers(a: string, b: string): number {
  const aIsNumber = isDigits(a);
  const bIsNumber = isDigits(b);
  if (aIsNumber && bIsNumber) return compareNumbers(a, b);
  if (aIsNumber !== bIsNumber) return aIsNumber ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Decimal digits without leading zeros: the longer number is the larger one. */
function compareNumbers(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

function isDigits(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 48 || code > 57) return false;
  }
  return true;
}
