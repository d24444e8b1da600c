import { describe, expect, test } from "vitest";
import { createClientAddress, parseTrustedProxies } from "./client-address.ts";

const through = (setting: string) => createClientAddress(parseTrustedProxies(setting) ?? expect.fail("no setting"));

describe("the address of a client", () => {
  test("is the connection's, whatever headers say, when no proxy is trusted", () => {
    expect(through("0")("192.0.2.1", "10.0.0.1")).toBe("192.0.2.1");
    expect(through("0")("::ffff:192.0.2.1", undefined)).toBe("192.0.2.1");
    expect(through("0")(undefined, "10.0.0.1")).toBeUndefined();
  });

  test.each<[string, string, string | undefined, string | undefined]>([
    ["1", "127.0.0.1", "198.51.100.7", "198.51.100.7"],
    ["1", "127.0.0.1", "10.9.9.9, 198.51.100.7", "198.51.100.7"],
    ["2", "127.0.0.1", "10.9.9.9, 198.51.100.7, 10.0.0.2", "198.51.100.7"],
    ["2", "127.0.0.1", "198.51.100.7", "198.51.100.7"],
    ["1", "192.0.2.1", undefined, "192.0.2.1"],
    ["1", "127.0.0.1", "unknown", undefined],
    ["1", "127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"],
    ["1", "127.0.0.1", "198.51.100.7:4711", "198.51.100.7"],
    ["127.0.0.1, 10.0.0.0/8", "127.0.0.1", "10.9.9.9, 198.51.100.7, 10.0.0.2", "198.51.100.7"],
    ["10.0.0.0/8", "192.0.2.1", "198.51.100.7", "192.0.2.1"],
    ["10.0.0.0/8", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"],
    ["10.0.0.0/8", "10.0.0.1", "198.51.100.7, nonsense, 10.0.0.2", undefined],
  ])("with TRUSTED_PROXIES=%s, from %s with the header %s, is %s", (setting, connection, header, expected) => {
    expect(through(setting)(connection, header)).toBe(expected);
  });

  test.each(["x", "11", "-1", "10.0.0.0/99", "10.0.0.1,,", "1,2"])("refuses the setting %s", (text) => {
    expect(parseTrustedProxies(text)).toBeUndefined();
  });
});
