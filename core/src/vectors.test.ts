import { describe, expect, test } from "vitest";
import { createCoreSubject, readVectors, runVectors, snapshotOf, type VectorFile } from "../vectors/run.ts";
import { applySnapshot, createState } from "./index.ts";

const files = readVectors();
const outcomes = await runVectors(files, createCoreSubject());

describe.each([...files.keys()])("vectors: %s", (topic) => {
  test.each(outcomes.filter((outcome) => outcome.topic === topic))("$name", ({ actual, expected }) => {
    expect(actual).toEqual(expected);
  });

  test("names are unique and the snapshot is one that a server could send", () => {
    const file = files.get(topic) as VectorFile;
    const names = file.cases.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    expect(applySnapshot(createState(), snapshotOf(file)).kind).toBe("applied");
  });
});

test("without an engine for regular expressions the flags that search cannot be read, and all else is as with it", async () => {
  const subject = createCoreSubject({});
  for (const { topic, name, actual, expected } of await runVectors(files, subject, { regex: false })) {
    expect(actual, `${topic}: ${name}`).toEqual(expected);
  }
});

test("runVectors tells a wrong answer from a right one", async () => {
  const wrong = await runVectors(files, () => ({ served: false, reason: { kind: "DEFAULT" } }), {
    wanted: ({ name }) => name === "no rules",
  });
  expect(wrong).toEqual([]);
  const precedence = new Map([...files].filter(([topic]) => topic === "precedence"));
  for (const { actual, expected } of await runVectors(precedence, () => ({ served: false, reason: { kind: "DEFAULT" } }))) {
    expect(actual).not.toEqual(expected);
  }
});
