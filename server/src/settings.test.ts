import { describe, expect, it } from "vitest";
import { readSettings, StartProblem } from "./settings.ts";

describe("readSettings", () => {
  it("needs nothing", () => {
    expect(readSettings({}, "/srv/box")).toEqual({
      host: "127.0.0.1",
      port: 7070,
      data: "/srv/box/data",
      publicUrl: undefined,
      firstAccount: undefined,
      setupToken: undefined,
    });
  });

  it("reads every variable, and takes an empty one as absent", () => {
    const env = {
      PORT: "0",
      HOST: "0.0.0.0",
      SIGNALBOX_DATA: "/data",
      SIGNALBOX_PUBLIC_URL: "https://flags.example.com/",
      SIGNALBOX_ADMIN_NAME: "ana",
      SIGNALBOX_ADMIN_PASSWORD: " twelve characters ",
      SIGNALBOX_SETUP_TOKEN: "",
    };
    expect(readSettings(env, "/srv")).toEqual({
      host: "0.0.0.0",
      port: 0,
      data: "/data",
      publicUrl: "https://flags.example.com",
      firstAccount: { name: "ana", password: " twelve characters " },
      setupToken: undefined,
    });
  });

  it.each([
    [{ PORT: "70700" }, /^PORT is "70700"/],
    [{ PORT: "http" }, /^PORT is "http"/],
    [{ PORT: "-1" }, /^PORT is "-1"/],
    [{ SIGNALBOX_PUBLIC_URL: "flags.example.com" }, /^SIGNALBOX_PUBLIC_URL is "flags\.example\.com"/],
    [{ SIGNALBOX_PUBLIC_URL: "https://flags.example.com/box" }, /without a path/],
    [{ SIGNALBOX_PUBLIC_URL: "ftp://flags.example.com" }, /expected a scheme/],
    [{ SIGNALBOX_ADMIN_NAME: "ana" }, /go together/],
    [{ SIGNALBOX_ADMIN_PASSWORD: "correct-horse-battery" }, /go together/],
    [{ SIGNALBOX_ADMIN_NAME: "a b", SIGNALBOX_ADMIN_PASSWORD: "correct-horse-battery" }, /^SIGNALBOX_ADMIN_NAME is "a b"/],
    [{ SIGNALBOX_ADMIN_NAME: "ana", SIGNALBOX_ADMIN_PASSWORD: "short" }, /has 5 characters, expected 12 to 128\.$/],
    [{ SIGNALBOX_SETUP_TOKEN: "short" }, /^SIGNALBOX_SETUP_TOKEN must have 20 to 200/],
  ])("answers %j with one sentence", (env, sentence) => {
    expect(() => readSettings(env)).toThrow(StartProblem);
    expect(() => readSettings(env)).toThrow(sentence);
  });
});
