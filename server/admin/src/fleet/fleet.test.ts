import { describe, expect, it } from "vitest";
import type { Instance } from "../../../src/api-types.ts";
import { fits, lagText } from "./fleet.ts";

const program: Instance = {
  instance: "rack-7-412-ab12",
  app: "Worker",
  appVersion: "1.42.0",
  sdk: "node/0.1.0",
  host: "rack-7",
  kind: "server",
  transport: "stream",
  environment: "production",
  connectedAt: 0,
  heardAt: 0,
  state: "silent",
  connections: 1,
  applied: 4,
  revision: 4,
  behind: 2,
  behindMs: 14_300,
};

describe("fits", () => {
  it("finds by every name, by state and by lag, all words at once", () => {
    for (const search of ["", "worker", "1.42", "node/", "RACK-7", "silent", "behind", "worker silent"]) {
      expect([search, fits(program, search)]).toEqual([search, true]);
    }
    for (const search of ["worker polling", "api", "browser"]) expect([search, fits(program, search)]).toEqual([search, false]);
    expect(fits({ ...program, behind: 0 }, "behind")).toBe(false);
  });
});

describe("lagText", () => {
  it("tells revisions and time, as far as known", () => {
    expect(lagText(program)).toBe("2 revisions behind for 14 s");
    expect(lagText({ behind: 1, behindMs: 40 })).toBe("1 revision behind for 40 ms");
    expect(lagText({ behind: 3, behindMs: null })).toBe("3 revisions behind");
    expect(lagText({ behind: 0, behindMs: 0 })).toBe("up to date");
    expect(lagText({ behind: null, behindMs: null })).toBe("does not say how far it is");
  });
});
