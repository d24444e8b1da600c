import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createEventReader, type StreamEvent } from "./sse.ts";

/** Cuts a text at the given places. */
function pieces(text: string, cuts: readonly number[]): string[] {
  const at = [...new Set([0, ...cuts.map((cut) => cut % (text.length + 1)), text.length])].sort((a, b) => a - b);
  return at.slice(1).map((end, index) => text.slice(at[index], end));
}

function read(parts: readonly string[]): StreamEvent[] {
  const reader = createEventReader();
  return parts.flatMap((part) => {
    const events = reader.push(part);
    return events === "oversize" ? [] : [...events];
  });
}

describe("createEventReader", () => {
  test("reads events whatever the line ends and wherever the pieces are cut", () => {
    const word = fc.string({ unit: "grapheme" }).map((text) => text.replace(/[\r\n]/g, ""));
    const event = fc.record({ event: word.filter((name) => name !== ""), data: fc.array(word, { minLength: 1, maxLength: 3 }) });
    fc.assert(
      fc.property(fc.array(event), fc.constantFrom("\n", "\r", "\r\n"), fc.array(fc.nat(10_000)), (events, end, cuts) => {
        const text = events
          .map(({ event, data }) => [": a comment", `event: ${event}`, "id: 1.2", ...data.map((line) => `data: ${line}`), "", ""].join(end))
          .join("");
        expect(read(pieces(text, cuts))).toEqual(events.map(({ event, data }) => ({ event, data: data.join("\n") })));
      }),
    );
  });

  test("an event without its blank line is never given", () => {
    expect(read(["event: change\ndata: {}\n"])).toEqual([]);
    expect(read(["event: change\ndata: {}\n", "\n"])).toEqual([{ event: "change", data: "{}" }]);
  });

  test("comments, other fields and empty events give nothing; an event without a name is a message", () => {
    expect(read([": ping\n\nretry: 1\n\nevent: x\n\ndata\n\ndata:1\n\n"])).toEqual([
      { event: "message", data: "" },
      { event: "message", data: "1" },
    ]);
  });

  test("gives up on an event that is too long, also one without line ends, and takes nothing more", () => {
    const reader = createEventReader(100);
    expect(reader.push(`data: ${"x".repeat(60)}\n\n`)).toHaveLength(1);
    expect(reader.push("data: ")).toEqual([]);
    expect(reader.push("x".repeat(60))).toEqual([]);
    expect(reader.push("x".repeat(60))).toBe("oversize");
    expect(reader.push("\n\ndata: 1\n\n")).toEqual([]);
  });
});
