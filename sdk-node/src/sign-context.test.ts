import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type Context, signContext } from "./index.ts";

const SECRET = `sb_signing_production_1_${"s".repeat(43)}`;

describe("signContext", () => {
  test("writes the context and its end, signed with the whole secret", () => {
    const before = Math.floor(Date.now() / 1_000);
    const token = signContext({ key: "ann", plan: "pro", name: "Zoë" }, { secret: SECRET, expiresInS: 60 });
    const [payload = "", mac, ...rest] = token.split(".");
    expect(rest).toEqual([]);
    expect(mac).toBe(createHmac("sha256", SECRET).update(payload).digest("base64url"));
    const { context, exp } = JSON.parse(Buffer.from(payload, "base64url").toString()) as { context: unknown; exp: number };
    expect(context).toEqual({ key: "ann", plan: "pro", name: "Zoë" });
    expect(exp).toBeGreaterThanOrEqual(before + 60);
    expect(exp).toBeLessThanOrEqual(Math.floor(Date.now() / 1_000) + 60);
    expect(token).toMatch(/^[A-Za-z0-9_.-]+$/);
  });

  test.each([
    [undefined, /secret is missing/],
    ["", /secret is missing/],
    ["sb_server_production_x", /secret is a server SDK key/],
    ["sb_browser_production_x", /secret is a browser SDK key/],
    ["sb_signing_production_1_short", /does not have the form/],
    [`${SECRET}\n`, /does not have the form/],
  ])("refuses the secret %j, and does not repeat it", (secret, sentence) => {
    const run = () => signContext({ key: "ann" }, { secret: secret as string });
    expect(run).toThrow(TypeError);
    expect(run).toThrow(sentence);
    if (secret) expect(run).not.toThrow(secret);
  });

  test.each([0, -1, Number.NaN, 30 * 86_400 + 1, "60"])("refuses %j seconds", (expiresInS) => {
    expect(() => signContext({ key: "ann" }, { secret: SECRET, expiresInS: expiresInS as number })).toThrow(RangeError);
  });

  test("refuses what is no context, what JSON cannot say, and what the server would not take", () => {
    const sign = (context: unknown) => () => signContext(context as Context, { secret: SECRET });
    expect(sign(null)).toThrow(/context is null/);
    expect(sign([])).toThrow(/context is a list/);
    expect(sign("ann")).toThrow(/context is string/);
    expect(sign({ balance: 1n })).toThrow(TypeError);
    expect(sign({ key: "ann", bio: "x".repeat(20_000) })).toThrow(/the most is 16384; leave attributes out/);
    expect(() => signContext({ key: "ann" }, undefined as never)).toThrow(/secret is missing/);
  });
});
