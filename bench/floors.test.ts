import { describe, expect, it } from "vitest";
import { check } from "./check.ts";
import { floor, floorIndex } from "./floors.ts";
import { coreSubject } from "./signalbox.ts";
import { expected, people, strangers, workloads } from "./workloads.ts";

// What is compared must answer alike, else the comparison means nothing. Times are not asserted anywhere.
describe.each([
  ["the floor", floor],
  ["the indexed floor", floorIndex],
  ["core", coreSubject],
])("%s", (_name, subject) => {
  it.each(workloads)("answers $name as the reference does", async ({ flags }) => {
    await check(await subject.open(subject.wire(flags)), flags);
  });
});

describe("check", () => {
  const [flag] = workloads[2]?.flags ?? [];
  if (!flag) throw new Error("no W3");
  const answering = (on: (key: string) => boolean) => ({
    context: (person: { key: string }) => person.key,
    ask: (_: string, key: unknown) => on(key as string),
  });

  it("refuses a wrong share", async () => {
    const inGroup = new Set([...people, ...strangers].filter((person) => expected(flag, person) > 0).map(({ key }) => key));
    await expect(
      check(
        answering((key) => inGroup.has(key)),
        [flag],
      ),
    ).rejects.toThrow("expected about");
  });

  it("refuses a yes to those who are not asked for", async () => {
    await expect(
      check(
        answering((key) => key.endsWith("7")),
        [flag],
      ),
    ).rejects.toThrow("which is wrong");
  });
});
