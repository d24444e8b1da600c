import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { ApiError, call } from "./api.ts";

let server: Server | undefined;
afterEach(() => server?.close());

/** The address of a server that answers so. */
async function at(answer: RequestListener): Promise<string> {
  const listening = createServer(answer);
  server = listening;
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(listening.address() as AddressInfo).port}/`;
}

const cutBeforeHead: RequestListener = (req) => req.socket.destroy();
const cutInBody: RequestListener = (_req, res) => {
  res.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
  res.write('{"flag":', () => res.destroy());
};

test.each([
  ["before its head", cutBeforeHead],
  ["within its body", cutInBody],
])("a write whose answer is cut %s is said to be stored or not, never to have changed nothing", async (_, answer) => {
  const path = await at(answer);
  const failed: unknown = await call("POST", path, { body: {} }).catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(ApiError);
  expect(failed).toMatchObject({ status: 0, code: "OUTCOME_UNKNOWN", message: expect.stringContaining("may be stored or not") });
});

test("a read whose answer is cut can be tried again", async () => {
  const failed: unknown = await call("GET", await at(cutInBody)).catch((error: unknown) => error);
  expect(failed).toMatchObject({ status: 0, message: "The server cannot be reached; try again in a moment." });
});
