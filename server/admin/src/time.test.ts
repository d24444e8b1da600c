import { expect, test } from "vitest";
import { ago } from "./time.tsx";

test("ago has tenths for ten seconds, then whole units; the future is now", () => {
  const at = (ms: number) => ago(1_000_000_000 - ms, 1_000_000_000);
  expect([at(-5), at(340), at(9_990), at(10_000), at(59_999), at(60_000), at(3_600_000), at(86_400_000), at(200_000_000)]).toEqual([
    "0.0 s ago",
    "0.3 s ago",
    "9.9 s ago",
    "10 s ago",
    "59 s ago",
    "1 min ago",
    "1 h ago",
    "1 day ago",
    "2 days ago",
  ]);
});
