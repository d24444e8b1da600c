import { readFileSync } from "node:fs";
import { applyChange, applySnapshot, contextHash, createState, type Entry, evaluate, parseFrame } from "@signalbox/core";
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { createEventReader } from "../../../core/src/sse.ts";
import { fingerprint } from "../store/fingerprint.ts";
import { acknowledgementBody, usageBody } from "./sdk-body.ts";

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
const page = read("docs/protocol.md");

/** Fenced blocks by what stands behind the language. */
const blocks = new Map([...page.matchAll(/^```\w+ (\S+)\n([\s\S]*?)^```$/gm)].map(([, name = "", text = ""]) => [name, text]));
const json = (name: string): unknown => JSON.parse(blocks.get(name) ?? "");

/** Fields of the interfaces of these files, those of what they extend included: name to `?` and the type as written. */
const interfaces = new Map<string, ReadonlyMap<string, { optional: boolean; type: string }>>();
for (const path of ["core/src/model.ts", "core/src/protocol.ts"]) {
  const source = ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest, true);
  for (const statement of source.statements) {
    if (!ts.isInterfaceDeclaration(statement)) continue;
    const fields = new Map<string, { optional: boolean; type: string }>();
    for (const base of statement.heritageClauses?.flatMap(({ types }) => types) ?? []) {
      for (const [name, field] of interfaces.get(base.expression.getText()) ?? []) fields.set(name, field);
    }
    for (const member of statement.members) {
      if (!ts.isPropertySignature(member) || !member.type) continue;
      fields.set(member.name.getText(), { optional: member.questionToken !== undefined, type: member.type.getText() });
    }
    interfaces.set(statement.name.text, fields);
  }
}

/** The word of the page for a type. */
function wordOf(type: string): string {
  const bare = type.replace(/ \| undefined$/, "");
  if (bare === "number" || bare === "boolean") return bare;
  if (bare === "string") return "text";
  if (bare === "Hex64") return "hex64";
  if (bare === "Projection" || /^"/.test(bare)) return "word";
  return /\[\]$/.test(bare) ? "list" : "object";
}

/** Each table of fields: named in its heading, or in the first cell of its head. */
const tables = [
  ...page.matchAll(
    /^(?:### \w+: `(\w+)`\n\n(?:[^|#\n][^\n]*\n)*\n?)?\| field(?: of `(\w+)`)? \| type \| holds \|\n\|[^\n]*\n((?:\|[^\n]*\n)+)/gm,
  ),
].map(([, heading, head, rows = ""]) => ({
  name: heading ?? head ?? "",
  fields: rows
    .trim()
    .split("\n")
    .flatMap((row) => {
      const [, names = "", type = ""] = row.split("|");
      return [...names.matchAll(/`(\w+)(\??)`/g)].map(([, name = "", mark]) => ({ name, optional: mark === "?", type: type.trim() }));
    }),
}));

describe("docs/protocol.md", () => {
  test("has a table for every frame and body, and a test for every block", () => {
    const inCore = [...read("core/src/protocol.ts").matchAll(/^export interface (\w+)/gm)].map(([, name]) => name);
    expect(tables.map(({ name }) => name).sort()).toEqual(inCore.sort());
    expect([...blocks.keys()]).toEqual(["stream", "ack", "usage", "facts-request", "facts-answer"]);
  });

  test.each(tables)("the fields of $name are those of core", ({ name, fields }) => {
    const wanted = [...(interfaces.get(name) ?? [])].map(([field, { optional, type }]) => ({ name: field, optional, type: wordOf(type) }));
    const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
    expect([...fields].sort(byName)).toEqual(wanted.sort(byName));
  });

  test("its examples are what the parser and the state machine take", () => {
    const events = createEventReader().push(blocks.get("stream") ?? "");
    if (events === "oversize") throw new Error("it is short");
    const state = createState();
    const said: string[] = [];
    for (const { event, data, crc } of events) {
      const frame = parseFrame(event, data, crc);
      said.push(frame.kind);
      if (frame.kind === "snapshot") {
        expect(applySnapshot(state, frame.frame).kind).toBe("applied");
        for (const entry of frame.frame.entries) {
          const { fp, ...body } = entry as Entry;
          expect(fingerprint(body as Parameters<typeof fingerprint>[0])).toBe(fp);
        }
        expect(evaluate(state, "new-checkout", { key: "ana" })).toMatchObject({ served: true, value: true });
      }
      if (frame.kind === "change") expect(applyChange(state, frame.frame).kind).toBe("applied");
    }
    expect(said).toEqual(["hello", "snapshot", "change", "change", "ping"]);
    expect(evaluate(state, "new-checkout", { key: "ana" })).toMatchObject({ served: true, value: false, reason: { killed: true } });
    for (const entry of state.entries.values()) {
      const { fp, ...body } = entry as Entry;
      expect(fingerprint(body as Parameters<typeof fingerprint>[0])).toBe(fp);
    }
  });

  test("its bodies are what the server takes", () => {
    expect(acknowledgementBody.parse(json("ack"))).toEqual(json("ack"));
    expect(usageBody.parse(json("usage"))).toEqual(json("usage"));
    const { context } = json("facts-request") as { context: object };
    expect((json("facts-answer") as { contextHash: string }).contextHash).toBe(contextHash(context));
  });
});
