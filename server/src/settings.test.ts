import { describe, expect, it } from "vitest";
import { readSettings, StartProblem } from "./settings.ts";

const node = { openMax: 20_000, newPerSecondMax: 500 };

describe("readSettings", () => {
  it("needs nothing", () => {
    expect(readSettings({}, "/srv/box")).toEqual({
      host: "127.0.0.1",
      port: 7070,
      data: "/srv/box/data",
      publicUrl: undefined,
      firstAccount: undefined,
      setupToken: undefined,
      metricsToken: undefined,
      trustedProxies: { kind: "hops", hops: 0 },
      limits: {
        streams: { openMax: 20_000, newPerSecondMax: 500, perKey: node, perAddress: node },
        statePerSecond: 500,
      },
      heartbeat: true,
    });
  });

  it("limits a key and an address as it is told, else as the node", () => {
    const env = {
      SIGNALBOX_STREAMS_MAX: "1000",
      SIGNALBOX_STREAMS_PER_SECOND: "50",
      SIGNALBOX_STREAMS_MAX_PER_ADDRESS: "20",
      SIGNALBOX_STREAMS_PER_SECOND_PER_KEY: "40",
      SIGNALBOX_STATE_PER_SECOND: "9",
    };
    expect(readSettings(env).limits).toEqual({
      streams: {
        openMax: 1_000,
        newPerSecondMax: 50,
        perKey: { openMax: 1_000, newPerSecondMax: 40 },
        perAddress: { openMax: 20, newPerSecondMax: 50 },
      },
      statePerSecond: 9,
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
      SIGNALBOX_HEARTBEAT: "off",
    };
    expect(readSettings(env, "/srv")).toEqual({
      host: "0.0.0.0",
      port: 0,
      data: "/data",
      publicUrl: "https://flags.example.com",
      firstAccount: { name: "ana", password: " twelve characters " },
      setupToken: undefined,
      metricsToken: undefined,
      trustedProxies: { kind: "hops", hops: 0 },
      limits: readSettings({}).limits,
      heartbeat: false,
    });
  });

  it.each([
    [{ PORT: "70700" }, /^PORT is "70700"/],
    [{ PORT: "http" }, /^PORT is "http"/],
    [{ SIGNALBOX_HEARTBEAT: "no" }, /^SIGNALBOX_HEARTBEAT is "no", expected on or off\.$/],
    [{ PORT: "-1" }, /^PORT is "-1"/],
    [
      { SIGNALBOX_STREAMS_MAX: "0" },
      /^SIGNALBOX_STREAMS_MAX is "0", expected a whole number from 1 to 1000000: for example SIGNALBOX_STREAMS_MAX=20000\.$/,
    ],
    [{ SIGNALBOX_STREAMS_PER_SECOND_PER_ADDRESS: "many" }, /^SIGNALBOX_STREAMS_PER_SECOND_PER_ADDRESS is "many"/],
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
