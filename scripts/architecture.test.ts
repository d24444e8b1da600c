import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const read = (path: string) => readFileSync(join(root, path), "utf8");
const document = read("ARCHITECTURE.md");

/** Sources below a folder, as paths from the root. Test support is no product either. */
function sources(folder: string, { tests }: { tests: boolean }): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .map((path) => join(folder, path))
    .filter((path) => /\.(m?[jt]s|tsx)$/.test(path) && !/node_modules|\bdist\b/.test(path))
    .filter((path) => tests || !/\.test\.tsx?$|test-support|scripted-server|\/test-\w+\.ts$|contract\.ts$|crash-child\.ts$/.test(path));
}

interface Import {
  readonly from: string;
  /** As written for a package, from the root for a file. */
  readonly to: string;
  readonly isFile: boolean;
  readonly isType: boolean;
}

/** `import x from`, `export x from`, `import "x"` and `import("x")` of one source. */
function importsIn(path: string): Import[] {
  const pattern = /(?:^|\n)\s*(?:import|export)\s+(type\s)?[^;"'`]*?from\s*"([^"]+)"|\bimport\s*\(?\s*"([^"]+)"/g;
  return [...read(path).matchAll(pattern)].map(([, type, named, bare]) => {
    const to = named ?? bare ?? "";
    const isFile = to.startsWith(".");
    return { from: path, to: isFile ? relative(root, join(root, dirname(path), to)) : to, isFile, isType: type !== undefined };
  });
}

function importsOf(folder: string, options: { tests: boolean }): Import[] {
  const found = sources(folder, options).flatMap(importsIn);
  expect(found.length, `imports found in ${folder}`).toBeGreaterThan(0);
  return found;
}

/** Those that are not allowed, as `from -> to`. */
function wrong(imports: readonly Import[], isRight: (one: Import) => boolean): string[] {
  return imports.filter((one) => !isRight(one)).map(({ from, to, isType }) => `${from} -> ${isType ? "type " : ""}${to}`);
}

describe("ARCHITECTURE.md", () => {
  test("names only paths that exist", () => {
    const spans = [...document.matchAll(/`([^`\n]+)`/g)].map(([, span = ""]) => span);
    const paths = spans.filter(
      (span) => /^\w[\w.-]*(\/[\w.-]+)*$/.test(span) && (span.includes("/") || /\.(m?[jt]sx?|json|md|sql)$/.test(span)),
    );
    expect(paths.length).toBeGreaterThan(60);
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  test("names only tests that are in the file named", () => {
    const named = [...document.matchAll(/`([^`\n]+\.test\.ts|[^`\n]+contract\.ts)`: ("[^"\n]+"(?:, "[^"\n]+")*)/g)].flatMap(
      ([, path = "", titles = ""]) => [...titles.matchAll(/"([^"]+)"/g)].map(([, title = ""]) => ({ path, title })),
    );
    expect(named.length).toBeGreaterThan(30);
    // A title is the first argument of a call: of `test`, of `it`, or of what `test.each` and `it.skipIf` give.
    const isThere = ({ path, title }: { path: string; title: string }) =>
      [`"${title}"`, `\`${title}\``].some((literal) => read(path).replace(/\(\s+/g, "(").includes(`(${literal},`));
    expect(named.filter((one) => !isThere(one))).toEqual([]);
  });

  test("has every folder of sources in its code map", () => {
    const map = document.slice(document.indexOf("## Code map"), document.indexOf("## Glossary"));
    const folders = readdirSync(join(root, "server/src"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    expect(folders.map(({ name }) => `server/src/${name}`).filter((folder) => !map.includes(`\`${folder}\``))).toEqual([]);
  });
});

describe("the direction of dependency", () => {
  test("core imports nothing outside core", () => {
    expect(wrong(importsOf("core/src", { tests: false }), ({ to, isFile }) => isFile && to.startsWith("core/src/"))).toEqual([]);
  });

  test("core has no types of Node or of browsers, no clock and no randomness", () => {
    const { compilerOptions } = JSON.parse(read("core/tsconfig.json")) as { compilerOptions: { lib: unknown; types: unknown } };
    expect(compilerOptions).toMatchObject({ lib: ["ES2022"], types: [] });
    // These two are part of ES2022, so the compiler lets them through. A date made of a given time asks no clock.
    const impure = sources("core/src", { tests: false }).filter((path) =>
      /\bnew Date\b(?!\([a-z])|\bDate\.now\b|(?<!new )\bDate\(|\bMath\.random\b/.test(read(path)),
    );
    expect(impure).toEqual([]);
  });

  test("the SDKs have no dependencies and import core alone", () => {
    for (const sdk of ["sdk-node", "sdk-browser"]) {
      const { dependencies, peerDependencies } = JSON.parse(read(`${sdk}/package.json`)) as Record<string, object | undefined>;
      expect({ dependencies, peerDependencies }).toEqual({ dependencies: undefined, peerDependencies: undefined });
      // The one library, which the build puts into a file of its own beside the SDK.
      const isInlined = ({ from, to }: Import) => from === "sdk-node/src/re2.ts" && to === "re2js";
      const isRight = (one: Import) => isInlined(one) || isOwn(one);
      const isOwn = ({ to, isFile }: Import) =>
        isFile ? to.startsWith(`${sdk}/src/`) : to === "@signalbox/core" || (sdk === "sdk-node" && to.startsWith("node:"));
      expect(wrong(importsOf(`${sdk}/src`, { tests: false }), isRight)).toEqual([]);
    }
  });

  test("the server imports no SDK and nothing of the admin UI", () => {
    const isRight = ({ to, isFile }: Import) => (isFile ? to.startsWith("server/src/") : !/^@signalbox\/(?!core$)/.test(to));
    expect(wrong(importsOf("server/src", { tests: false }), isRight)).toEqual([]);
  });

  test("the admin UI takes types of the API and core, nothing else of the repository", () => {
    const isRight = ({ to, isFile, isType }: Import) => {
      if (!isFile) return !/^@signalbox\/(?!core$)/.test(to);
      return to.startsWith("server/admin/") || (to === "server/src/api-types.ts" && isType);
    };
    expect(wrong(importsOf("server/admin/src", { tests: true }), isRight)).toEqual([]);
  });

  test("examples import published entry points", () => {
    const published = ["sdk-node", "sdk-browser"].flatMap((sdk) => {
      const { name, exports } = JSON.parse(read(`${sdk}/package.json`)) as { name: string; exports: object };
      return Object.keys(exports).map((entry) => name + entry.slice(1));
    });
    const isRight = ({ from, to, isFile }: Import) =>
      isFile ? to.startsWith(from.split("/").slice(0, 2).join("/")) : !to.startsWith("@signalbox/") || published.includes(to);
    expect(wrong(importsOf("examples", { tests: false }), isRight)).toEqual([]);
  });
});
