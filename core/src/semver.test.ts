import { createRequire } from "node:module";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { versionOrder } from "../test/references.ts";
import { compareVersions, parseVersion, VERSION_LENGTH_MAX, type Version } from "./semver.ts";

// The package that npm itself uses; it is here because other tools bring it along, so a test that needs it steps back if it is gone.
const npm = loadNpm();

function loadNpm(): { compare(a: string, b: string): number; valid(text: string): string | null } | undefined {
  try {
    return createRequire(import.meta.url)("semver");
  } catch {
    return undefined;
  }
}

const number = fc.oneof(
  { weight: 5, arbitrary: fc.nat(3).map(String) },
  { weight: 1, arbitrary: fc.nat().map(String) },
  { weight: 1, arbitrary: fc.bigInt({ min: 0n, max: 10n ** 30n }).map(String) },
);
const identifier = fc.oneof(
  { weight: 3, arbitrary: number },
  { weight: 3, arbitrary: fc.constantFrom("alpha", "beta", "rc", "Beta", "-", "--", "0a", "1a", "a1", "x-y") },
  { weight: 1, arbitrary: fc.stringMatching(/^[0-9A-Za-z-]{1,6}$/).filter((text) => !/^0\d+$/.test(text)) },
);
const identifiers = fc.array(identifier, { minLength: 1, maxLength: 3 }).map((parts) => parts.join("."));
/** Valid by clause 2 to 10 of Semantic Versioning. */
const version = fc
  .record({ numbers: fc.tuple(number, number, number), prerelease: fc.option(identifiers), build: fc.option(identifiers, { freq: 2 }) })
  .map(
    ({ numbers, prerelease, build }) =>
      `${numbers.join(".")}${prerelease === null ? "" : `-${prerelease}`}${build === null ? "" : `+${build}`}`,
  );

function order(a: string, b: string): number {
  return Math.sign(compareVersions(parsed(a), parsed(b)));
}

function parsed(text: string): Version {
  const version = parseVersion(text);
  if (!version) throw new Error(`${text} was not read`);
  return version;
}

describe("compareVersions", () => {
  test("agrees with a second implementation that compares by BigInt", () => {
    fc.assert(
      fc.property(version, version, (a, b) => {
        expect(order(a, b)).toBe(versionOrder(a, b));
      }),
      { numRuns: 2_000 },
    );
  });

  test.skipIf(npm === undefined)("agrees with the package semver, as far as its numbers reach", () => {
    let compared = 0;
    fc.assert(
      fc.property(version, version, (a, b) => {
        if (!npm?.valid(a) || !npm.valid(b) || /\d{16}/.test(a + b)) return;
        compared++;
        expect(order(a, b)).toBe(npm.compare(a, b));
      }),
      { numRuns: 2_000 },
    );
    expect(compared).toBeGreaterThan(500);
  });

  test("is a total order: of any three, in whatever way they are asked", () => {
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(order(a, a)).toBe(0);
        expect(order(a, b) + order(b, a)).toBe(0);
        if (order(a, b) <= 0 && order(b, c) <= 0) expect(order(a, c)).toBeLessThanOrEqual(0);
        if (order(a, b) === 0) expect(order(a, c)).toBe(order(b, c));
      }),
      { numRuns: 2_000 },
    );
  });

  test("does not see builds, a leading v, nor whether what is zero is written", () => {
    fc.assert(
      fc.property(version, identifiers, (text, build) => {
        const plain = text.split("+")[0] as string;
        expect(order(`v${plain}+${build}`, text)).toBe(0);
        expect(order(plain.replace(/^(\d+)\.0\.0(?=-|$)/, "$1").replace(/^(\d+\.\d+)\.0(?=-|$)/, "$1"), text)).toBe(0);
      }),
    );
  });
});

describe("parseVersion", () => {
  test("takes what the rules of semver.org take, and beyond that a leading v and missing parts only", () => {
    const nearly = fc.oneof(
      version,
      fc.stringMatching(/^[v=]?[0-9x]{0,2}[.]?[0-9]{0,2}[.]?[0-9]{0,2}[-+]?[0-9a-z.+-]{0,4}$/),
      fc.string({ maxLength: 8 }),
    );
    fc.assert(
      fc.property(nearly, (text) => {
        expect(parseVersion(text) !== undefined).toBe(versionOrder(text, "1.0.0") !== undefined);
        const strict = npm?.valid(text);
        if (strict && !/^[=\s]/.test(text) && text === text.trim()) expect(parseVersion(text)).toBeDefined();
      }),
      { numRuns: 3_000 },
    );
  });

  test("is done with any text at once, also with one made to keep a pattern busy", () => {
    for (const text of [
      "1.".repeat(1_000_000),
      "9".repeat(1_000_000),
      `1.0.0-${"0".repeat(250)}`,
      `1.0.0-${"a.".repeat(124)}`,
      `1.0.0-${"-".repeat(249)}!`,
    ])
      expect(parseVersion(text)).toBeUndefined();
    expect(parseVersion(`1.0.0-${"a".repeat(VERSION_LENGTH_MAX - 6)}`)).toBeDefined();
  });
});
