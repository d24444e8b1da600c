import { readFileSync } from "node:fs";
import { type Condition, explain, type FlagEntry, loadEntries, type Rule, type VerdictWord } from "@signalbox/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../cli/run.ts";
import { startTestServer, type TestServer } from "../http/test-server.ts";
import { regex } from "./patterns.ts";

const E = "/api/v1/projects/default/environments/development";
const page = readFileSync(new URL("../../../docs/targeting.md", import.meta.url), "utf8");

interface Block {
  readonly kind: string;
  readonly flag: string;
  readonly text: string;
  readonly line: number;
}

/** Fenced blocks in the order of the page: "json configuration [FLAG]", "json group", "sh". */
const blocks: Block[] = [...page.matchAll(/^```(\w+)(?: (\w+))?(?: (\S+))?\n([\s\S]*?)^```$/gm)].map((found) => {
  const [, language = "", kind = language, flag = "new-checkout", text = ""] = found;
  return { kind, flag, text, line: page.slice(0, found.index).split("\n").length };
});

let server: TestServer;
let token: string;
beforeAll(async () => {
  server = await startTestServer();
  token = await server.token("admin");
  const values = { plain: "#fff", red: "#f00", blue: "#00f" };
  for (const flag of [{ key: "new-checkout" }, { key: "payments" }, { key: "theme", type: "string", values, off: "plain", on: "red" }]) {
    await send("POST", "/api/v1/projects/default/flags", flag);
  }
  const rules = [{ rollout: { percentage: 10 }, serve: { kind: "variant", variant: "on" } }];
  await send("PATCH", `${E}/flags/payments/configuration`, { mode: "targeted", rules });
});
afterAll(() => server.close());

async function send(method: string, path: string, body: unknown): Promise<void> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", "if-match": "*" };
  const answer = await fetch(server.url + path, { method, headers, body: JSON.stringify(body) });
  const said = await answer.text();
  expect(answer.ok, said).toBe(true);
}

/** Words as a shell splits them: by spaces, with single quotes around what holds some. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
}

describe("docs/targeting.md", () => {
  it("has blocks of each kind, and no block that nothing runs", () => {
    expect([...new Set(blocks.map(({ kind }) => kind))].sort()).toEqual(["configuration", "group", "sh"]);
  });

  for (const { kind, flag, text, line } of blocks) {
    if (kind === "sh") {
      for (const command of text.trim().split("\n")) {
        it(`line ${line}: ${command.slice(0, 60)}`, async () => {
          const out: string[] = [];
          const err: string[] = [];
          const [name, ...args] = wordsOf(command);
          expect(name).toBe("signalbox");
          const environment = { SIGNALBOX_URL: server.url, SIGNALBOX_TOKEN: token };
          const code = await run(args, environment, { out: (said) => out.push(said), err: (said) => err.push(said) });
          expect([code, err]).toEqual([0, []]);
          expect(out.length).toBeGreaterThan(2);
        });
      }
    } else {
      it(`line ${line}: the ${kind} is taken`, async () => {
        const body: unknown = JSON.parse(text);
        if (kind === "group") await send("POST", `${E}/groups`, body);
        else await send("PATCH", `${E}/flags/${flag}/configuration`, body);
      });
    }
  }
});

/** For each row of the table a condition (or a rollout) on the attribute `a`, and a value of each type that it takes. */
const ROWS: Readonly<Record<string, { readonly of: readonly object[]; readonly text: unknown }>> = {
  "`in`": {
    of: [
      { op: "in", attribute: "a", values: ["x"] },
      { op: "in", attribute: "a", values: [5] },
      { op: "in", attribute: "a", values: [true] },
    ],
    text: "x",
  },
  "`contains`, `startsWith`, `endsWith`": {
    of: ["contains", "startsWith", "endsWith"].map((op) => ({ op, attribute: "a", values: ["x"] })),
    text: "x",
  },
  "`matches`": { of: [{ op: "matches", attribute: "a", values: ["x"], textLengthMax: 100 }], text: "x" },
  "`number`": { of: [{ op: "number", attribute: "a", is: ">", value: 1 }], text: "5" },
  "`semver`": { of: [{ op: "semver", attribute: "a", is: ">", value: "1.0.0" }], text: "2.0.0" },
  "`date`": { of: [{ op: "date", attribute: "a", is: ">", value: "1970-01-01", at: 0 }], text: "2026-12-01" },
  "`cidr`": { of: [{ op: "cidr", attribute: "a", values: ["10.0.0.0/8"] }], text: "10.0.0.1" },
  "`exists`": { of: [{ op: "exists", attribute: "a" }], text: "x" },
  "`group` by list or sign-up": { of: [{ op: "group", group: "listed" }], text: "x" },
  "the unit of a percentage or a split": { of: [{ rollout: { to: 50_000, by: "a" } }], text: "x" },
};
const TYPES: Readonly<Record<string, readonly unknown[]>> = {
  number: [5],
  "yes or no": [true],
  "absent, null": [undefined, null],
  object: [{ x: 1 }],
  Date: [new Date(5)],
};
/** What a cell says with "else –": these are of the type and not taken. */
const NOT_TAKEN: Readonly<Record<string, unknown>> = { "`semver`": "x", "`date`": "x", "`cidr`": "x", "`matches`": "x".repeat(101) };

describe("the table of how values are taken", () => {
  const lines = page.slice(page.indexOf("### How values are taken"), page.indexOf("### Patterns")).split("\n");
  const [head = [], , ...rows] = lines
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

  it("has a row for each operator", () => {
    expect(rows.map(([name]) => name)).toEqual(Object.keys(ROWS));
  });

  for (const [name = "", ...cells] of rows) {
    it(`tells the truth of ${name}`, () => {
      const { of = [], text } = ROWS[name] ?? {};
      const verdicts = (value: unknown) => of.map((part) => verdictOf(part, value));
      for (const [index, cell] of cells.entries()) {
        const type = head[index + 1] ?? "";
        for (const value of type === "text"
          ? [text]
          : type === "list"
            ? [[text, 5, true].filter((each) => each !== undefined)]
            : (TYPES[type] ?? [])) {
          const said = `${name}, ${type}, ${JSON.stringify(value)}: ${cell}`;
          if (cell === "–") expect(verdicts(value), said).toEqual(of.map(() => "unknown"));
          else if (cell === "true" || cell === "false") expect(verdicts(value), said).toEqual([cell]);
          else if (cell === "any element") expect(verdicts(value), said).toContain(name.startsWith("`group`") ? "unknown" : "true");
          else expect(new Set([...verdicts(value), "unknown"]).size, said).toBeGreaterThan(1);
        }
        if (type === "text" && name in NOT_TAKEN) expect(verdicts(NOT_TAKEN[name]), `${name}: ${cell}`).toEqual(["unknown"]);
        if (cell === "any element") expect(verdicts([]), `${name}: an empty list`).toEqual(of.map(() => "false"));
      }
    });
  }
});

function verdictOf(part: object, value: unknown): VerdictWord | undefined {
  const fp = "0000000000000000";
  const rule = { id: "r", serve: { kind: "variant", variant: "on" }, ...("op" in part ? { when: part as Condition } : part) } as Rule;
  const flag = {
    kind: "flag",
    key: "f",
    fp,
    type: "boolean",
    on: "on",
    off: "off",
    mode: "targeted",
    salt: "f",
    rules: [rule],
  } satisfies FlagEntry;
  const list = { hashKey: "000102030405060708090a0b0c0d0e0f", by: "a", members: [fp] };
  const state = loadEntries([flag, { kind: "group", key: "listed", fp, list }], { regex });
  const [trace] = explain(state, "f", value === undefined ? {} : { a: value }).rules;
  return trace?.when?.verdict ?? trace?.rollout?.verdict;
}
