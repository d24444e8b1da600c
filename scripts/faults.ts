// Writes docs/faults.md: which fault is covered by which test, and how that test went last. `npm run faults` runs the tests of faults first
// (`LONG=1 npm run faults` the slow ones too) and hands their results over; without results the last ones in the page are kept.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const FOLDER = "e2e/faults";
const PAGE = join(root, "docs/faults.md");

interface Row {
  readonly id: string;
  readonly fault: string;
  readonly expected: string;
  readonly elsewhere?: readonly { readonly file: string; readonly test: string }[];
  /** The capability with which it comes. */
  readonly later?: string;
}

interface NamedTest {
  readonly file: string;
  readonly name: string;
  readonly ids: readonly string[];
}

type Result = "passed" | "failed" | "skipped";

/** As far as vitest's JSON report is read. */
interface Report {
  readonly testResults: readonly { readonly assertionResults: readonly { readonly title: string; readonly status: string }[] }[];
}

/** The rows: number, fault, what is expected, and tests elsewhere or the capability with which it comes. */
export function readMatrix(): readonly Row[] {
  return JSON.parse(readFileSync(join(root, FOLDER, "matrix.json"), "utf8")) as Row[];
}

/** The names of tests that begin with a fault's number: [{ file, name, ids }]. Parts that are filled in at run time read as "…". */
export function namedTests(): readonly NamedTest[] {
  const found = new Map<string, NamedTest>();
  for (const file of readdirSync(join(root, FOLDER)).filter((name) => name.endsWith(".test.ts"))) {
    const text = readFileSync(join(root, FOLDER, file), "utf8");
    for (const [, , name = ""] of text.matchAll(/(["`])(F\d\d [^"`\n]+)\1/g)) {
      if (name.includes(" is left out: ")) continue; // what is printed where a test cannot run
      const shown = name.replace(/\$\{[^}]*\}|%[sij]/g, "…");
      found.set(shown, { file: `${FOLDER}/${file}`, name: shown, ids: (/^(F\d\d )+/.exec(name)?.[0] ?? "").trim().split(" ") });
    }
  }
  return [...found.values()];
}

/** How each named test went, from vitest's JSON report; several runs of one name count as the worst. */
function resultsOf(report: Report): Map<string, Result> {
  const went = new Map<string, Result>();
  const all = report.testResults.flatMap((file) => file.assertionResults);
  for (const { name } of namedTests()) {
    const pattern = new RegExp(`^${name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll("…", ".*")}`);
    const states = all.filter(({ title }) => pattern.test(title)).map(({ status }) => status);
    if (states.length > 0) went.set(name, worst(states));
  }
  return went;
}

function worst(states: readonly string[]): Result {
  if (states.includes("failed")) return "failed";
  return states.every((state) => state === "passed") ? "passed" : "skipped";
}

/** The results that the page tells now. */
function keptResults(): Map<string, Result> {
  const kept = new Map<string, Result>();
  if (!existsSync(PAGE)) return kept;
  for (const { name } of namedTests()) {
    const [, rest = ""] = readFileSync(PAGE, "utf8").split(`“${name}”`);
    const result = /^[^·]*· (passed|failed|skipped)/.exec(rest)?.[1];
    if (result) kept.set(name, result as Result);
  }
  return kept;
}

function page(went: ReadonlyMap<string, Result>, long: boolean): string {
  const named = namedTests();
  const counts = { here: 0, elsewhere: 0, later: 0 };
  const rows = readMatrix().map(({ id, fault, expected, elsewhere = [], later }) => {
    const here = named.filter(({ ids }) => ids.includes(id));
    counts[here.length > 0 ? "here" : elsewhere.length > 0 ? "elsewhere" : "later"] += 1;
    const tests = [
      ...here.map(({ file, name }) => `“${name}” (\`${file}\`) · ${went.get(name) ?? "not run yet"}`),
      ...elsewhere.map(({ file, test }) => `“${test}” (\`${file}\`) · covered elsewhere`),
      ...(later ? [`comes with: ${later}`] : []),
    ];
    return `| ${id} | ${fault} | ${expected} | ${tests.map((text) => text.replaceAll("|", "\\|")).join("<br>")} |`;
  });
  return `# Faults

What can go wrong around one server and its programs, what then has to happen, and the test that shows it. Made by \`npm run faults\`
(\`LONG=1 npm run faults\` with the slow ones); do not edit. ${counts.here} faults have a test with real processes, ${counts.elsewhere} are covered by
tests of their part, ${counts.later} come with other capabilities. The results are those of the last run${long ? ", slow ones included" : ""}; "covered elsewhere" tests run with \`npm test\`.

Many faults at once, by chance: \`${FOLDER}/schedules.test.ts\` (10 schedules, \`LONG=1\` 300 longer ones, \`SEED=17\` repeats one,
\`SEED=101-150\` runs fifty, so that several processes can share them). A day of a fleet's life in half an hour: \`npm run soak\`.

| | fault | expected | tests and their last result |
|---|---|---|---|
${rows.join("\n")}

Where Node cannot look: bytes that the kernel has taken count as sent, so a client that reads nothing is noticed only when the kernel's buffers are full
(several MB on one machine) or when its lease of 45 s is over. That bounds F28 and F29 from the server's side.
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const report = process.argv[2];
  const went = keptResults();
  if (report) {
    for (const [name, result] of resultsOf(JSON.parse(readFileSync(report, "utf8")) as Report)) {
      // A slow test that was left out this time keeps what it did last.
      if (result !== "skipped" || !went.has(name)) went.set(name, result);
      if (result === "failed") process.exitCode = 1;
    }
    rmSync(report); // a later run that ends before its report must not find this one
  }
  writeFileSync(PAGE, page(went, process.env.LONG === "1"));
  console.log(`docs/faults.md: ${[...went.values()].filter((result) => result === "passed").length} tests passed`);
}
