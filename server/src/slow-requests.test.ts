import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTestServer, type TestServer } from "./http/test-server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

/** Sends this and then nothing, and resolves with what came back when the server has closed the connection, and after how long. */
function hold(text: string): Promise<{ answer: string; ms: number }> {
  return new Promise((resolve) => {
    const began = performance.now();
    const socket = connect(server.port, "127.0.0.1", () => socket.write(text));
    let answer = "";
    socket.on("data", (piece) => {
      answer += piece;
    });
    socket.on("error", () => {}); // a reset is a way to close
    socket.on("close", () => resolve({ answer, ms: performance.now() - began }));
  });
}

// Real time: node:http has no clock that could be turned. It looks every two seconds.
describe("a request that does not come to its end", { timeout: 60_000, concurrent: true }, () => {
  it("loses its connection ten seconds after its head began, on the stream route too", async () => {
    for (const { answer, ms } of await Promise.all([
      hold("GET /sdk/v1/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bear"),
      hold("POST /api/v1/session HTTP/1.1\r\n"),
    ])) {
      expect(answer).toMatch(/^HTTP\/1\.1 408 /);
      expect(ms).toBeGreaterThanOrEqual(9_500);
      expect(ms).toBeLessThan(20_000);
    }
  });

  it("loses it thirty seconds after it began when its body does not come", async () => {
    const { answer, ms } = await hold(
      "POST /api/v1/session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{",
    );
    expect(answer).toMatch(/^HTTP\/1\.1 (408|400) /);
    expect(ms).toBeGreaterThanOrEqual(29_000);
    expect(ms).toBeLessThan(45_000);
  });
});
