import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createSigner } from "./identity.ts";
import { createTransport } from "./transport.ts";

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

const token = (key: string, exp: number) => `${btoa(JSON.stringify({ context: { key }, exp }))}.${"A".repeat(43)}`;

test("a refreshToken that hangs is given up after ten seconds, and called again for the next request", async () => {
  const next = token("ada", 5_000);
  let calls = 0;
  const refreshToken = () => (++calls === 1 ? new Promise<string>(() => {}) : Promise.resolve(next));
  const signer = createSigner(refreshToken, () => {});
  signer.take({ token: token("ada", 1) });
  let thrown: unknown;
  signer.proof().catch((error: unknown) => {
    thrown = error;
  });
  await vi.advanceTimersByTimeAsync(9_999);
  expect(thrown).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1);
  expect(thrown).toEqual(new Error("signalbox: refreshToken has given no token for 10 s"));
  expect(await signer.proof()).toEqual({ token: next });
  expect([calls, vi.getTimerCount()]).toEqual([2, 0]);
});

test("a request that was given up before it began never leaves", async () => {
  const { ask } = createTransport("http://127.0.0.1:1", "sb_browser_x");
  const dropping = new AbortController();
  dropping.abort(new Error("given up"));
  await expect(ask("facts", "{}", dropping.signal)).rejects.toThrow("given up");
});
