import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { Problem } from "../errors.ts";
import { browserContext, readSignedContext, SIGNED_CONTEXT_BYTES_MAX } from "./signed-context.ts";

const NOW = 1_800_000_000_000;
const NEW = "sb_signing_production_2_bmV3";
const OLD = "sb_signing_production_1_b2xk";
const CONTEXT = { key: "ann", plan: "pro", näme: "Zoë" };

function sign(body: unknown, secret = NEW): string {
  const payload = Buffer.from(typeof body === "string" ? body : JSON.stringify(body)).toString("base64url");
  return `${payload}.${createHmac("sha256", secret).update(payload).digest("base64url")}`;
}
const until = (seconds: number) => sign({ context: CONTEXT, exp: NOW / 1_000 + seconds });

/** "CODE: sentence" of what it is refused with. */
function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof Problem) return `${error.code}: ${error.message}`;
    throw error;
  }
  return expect.fail("it was taken");
}
const refused = (token: string, secrets = [NEW, OLD]) => refusal(() => readSignedContext(token, secrets, NOW));

describe("a signed context", () => {
  it("is the context that was signed, with either secret that holds", () => {
    expect(readSignedContext(until(60), [NEW, OLD], NOW)).toEqual(CONTEXT);
    expect(readSignedContext(sign({ context: CONTEXT, exp: NOW / 1_000 + 60 }, OLD), [NEW, OLD], NOW)).toEqual(CONTEXT);
  });

  it("is refused under a secret that is retired, of another environment, or none", () => {
    const old = sign({ context: CONTEXT, exp: NOW / 1_000 + 60 }, OLD);
    expect(refused(old, [NEW])).toMatch(/^SIGNED_CONTEXT_INVALID: The signed context was not signed with a signing secret/);
    expect(refused(old, [])).toMatch(/^SIGNED_CONTEXT_INVALID/);
  });

  it("is refused when one character of either part is another", () => {
    const token = until(60);
    for (const at of [0, 10, token.indexOf(".") - 1, token.indexOf(".") + 1, token.length - 1]) {
      const other = token[at] === "A" ? "B" : "A";
      expect(refused(token.slice(0, at) + other + token.slice(at + 1))).toMatch(/^SIGNED_CONTEXT_INVALID: .* not signed with/);
    }
  });

  it("is taken until five minutes after its end, and not a second longer", () => {
    expect(readSignedContext(until(-300), [NEW], NOW)).toEqual(CONTEXT);
    expect(refused(until(-301))).toBe(
      "SIGNED_CONTEXT_EXPIRED: The signed context ended 301 s ago, and 300 s is the most that is forgiven; ask your server for a new one.",
    );
  });

  it.each([
    ["no token at all", "", "does not have the form of one"],
    ["one part", "abc", "does not have the form of one"],
    ["three parts", `${until(60)}.x`, "does not have the form of one"],
    ["other characters", `${until(60).replace(".", "+.")}`, "does not have the form of one"],
    ["too many characters", `${"A".repeat(SIGNED_CONTEXT_BYTES_MAX)}.x`, "the most is 16384"],
    ["no JSON", sign("{context"), "is signed but is no JSON"],
    ["a list", sign([1]), 'has no "exp"'],
    ["null", sign("null"), 'has no "exp"'],
    ["no end", sign({ context: CONTEXT }), 'has no "exp"'],
    ["an end that is a text", sign({ context: CONTEXT, exp: "tomorrow" }), 'has no "exp"'],
    ["no context", sign({ exp: NOW }), "holds no context"],
    ["a context that is a text", sign({ context: "ann", exp: NOW }), "holds no context"],
    ["a context that is a list", sign({ context: [], exp: NOW }), "holds no context"],
    ["depth", sign(`{"exp":${NOW},"context":${'{"a":'.repeat(70)}1${"}".repeat(70)}}`), "nested too deep"],
  ])("names what is wrong: %s", (_what, token, sentence) => {
    expect(refused(token)).toContain(sentence);
  });
});

describe("the context of a browser", () => {
  const open = { secureMode: false, secrets: [NEW], now: NOW };
  const secure = { ...open, secureMode: true };

  it("is what it says itself, or what is signed, which is checked also outside secure mode", () => {
    expect(browserContext({ context: CONTEXT }, open)).toEqual({ context: CONTEXT, signed: false });
    expect(browserContext({ token: until(60) }, open)).toEqual({ context: CONTEXT, signed: true });
    expect(refusal(() => browserContext({ token: sign({ context: CONTEXT, exp: NOW }, OLD) }, open))).toMatch(/^SIGNED_CONTEXT_INVALID/);
  });

  it("has to be signed in secure mode", () => {
    expect(browserContext({ token: until(60) }, secure)).toEqual({ context: CONTEXT, signed: true });
    expect(refusal(() => browserContext({ context: CONTEXT }, secure))).toMatch(/^SIGNED_CONTEXT_NEEDED/);
  });

  it("comes in one way only", () => {
    expect(refusal(() => browserContext({}, open))).toMatch(/^VALIDATION_FAILED/);
    expect(refusal(() => browserContext({ context: CONTEXT, token: until(60) }, secure))).toMatch(/^VALIDATION_FAILED/);
  });
});
