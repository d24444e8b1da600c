import { expect, test } from "vitest";
import { effectSentence } from "./effect-sentence.ts";

const counted = (gains: number, loses: number, changes: number, total = 10_000, more: object = {}) => ({
  total,
  asked: total,
  madeUp: true,
  sampled: null,
  killed: false,
  setAside: [],
  counts: { gains, loses, changes, keeps: 0, staysOut: 0 },
  ...more,
});

test.each([
  [counted(1_487, 0, 0), "Of 10,000 made-up users without attributes, about 1,500 gain it, none lose it."],
  [counted(7, 1, 0), "Of 10,000 made-up users without attributes, about 7 gain it, about 1 loses it."],
  [counted(9_987, 0, 13), "Of 10,000 made-up users without attributes, about 9,987 gain it, none lose it, about 13 get another variant."],
  [counted(10_000, 0, 0), "Of 10,000 made-up users without attributes, all gain it, none lose it."],
  [
    counted(5, 0, 0, 10_000, { setAside: ["Not for banks"] }),
    'Of 10,000 made-up users without attributes, whom "Not for banks" does not concern, about 5 gain it, none lose it.',
  ],
  [
    counted(5, 0, 0, 10_000, { setAside: ["a", "b"], killed: true }),
    "Once it is restored, of 10,000 made-up users without attributes, whom 2 denials do not concern, about 5 gain it, none lose it.",
  ],
  [counted(1, 0, 0, 1, { madeUp: false }), "Of 1 context, 1 gains it, none lose it."],
  [counted(1_487, 2, 1, 9_000, { madeUp: false }), "Of 9,000 contexts, 1,487 gain it, 2 lose it, 1 gets another variant."],
  [
    counted(3, 0, 0, 312, { madeUp: false, sampled: { oldestAt: Date.now() - 5 * 3_600_000 - 1_000, newestAt: Date.now() - 130_000 } }),
    "Of 312 contexts that programs sent 5 h to 2 min ago, 3 gain it, none lose it.",
  ],
  [counted(3, 0, 0, 200, { madeUp: false, asked: 10_000 }), "Of 200 contexts (of 10,000; time ran out), 3 gain it, none lose it."],
])("effectSentence %#", (told, sentence) => {
  expect(effectSentence(told)).toBe(sentence);
});
