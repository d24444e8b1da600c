import { afterAll, beforeAll, expect, test } from "vitest";
import type { FlagWritten, Receipt, SdkKeys } from "../api-types.ts";
import { startTestServer, type TestServer } from "../http/test-server.ts";

const AT = "/api/v1/projects/default/environments/production";
let server: TestServer;
let authorization: string;
let sdkKey: string;
beforeAll(async () => {
  server = await startTestServer();
  authorization = `Bearer ${await server.token("operator")}`;
  sdkKey = ((await (await server.send("GET", `${AT}/sdk-keys`, await server.signIn())).json()) as SdkKeys).server ?? "";
  await server.flag("search");
});
afterAll(() => server.close());

async function* events(answer: Response): AsyncGenerator<Receipt> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of answer.body ?? []) {
    text += decoder.decode(bytes, { stream: true });
    const frames = text.split("\n\n");
    text = frames.pop() ?? "";
    for (const frame of frames) {
      expect(frame).toMatch(/^event: receipt\ndata: \{/);
      yield JSON.parse(frame.slice(frame.indexOf("{"))) as Receipt;
    }
  }
}

test("a receipt is told as it grows, and the stream ends when it is complete", async () => {
  const leaving = new AbortController();
  const program = await fetch(`${server.url}/sdk/v1/stream?instance=one&app=shop&acks=all`, {
    headers: { authorization: `Bearer ${sdkKey}` },
    signal: leaving.signal,
  });
  const killed = await fetch(`${server.url}${AT}/flags/search/kill`, {
    method: "POST",
    headers: { authorization, "content-type": "application/json" },
    body: "{}",
  });
  const { revision } = (await killed.json()) as FlagWritten;
  const followed = events(await fetch(`${server.url}${AT}/revisions/${revision}/receipt/stream`, { headers: { authorization } }));
  const first = (await followed.next()).value as Receipt;
  expect(first).toMatchObject({ revision, connected: 1, acknowledged: 0, complete: false });
  const held = (await (await fetch(`${server.url}/sdk/v1/state`, { headers: { authorization: `Bearer ${sdkKey}` } })).json()) as {
    generation: number;
  };
  await fetch(`${server.url}/sdk/v1/ack`, {
    method: "POST",
    headers: { authorization: `Bearer ${sdkKey}` },
    body: JSON.stringify({ instance: "one", generation: held.generation, revision }),
  });
  const rest: Receipt[] = [];
  for await (const receipt of followed) rest.push(receipt);
  expect(rest.at(-1)).toMatchObject({ acknowledged: 1, complete: true });
  leaving.abort();
  expect(program.status).toBe(200);
});

test.each([
  ["revisions/9999/receipt/stream", 404, "REVISION_NOT_FOUND"],
  ["revisions/x/receipt/stream", 404, "ROUTE_NOT_FOUND"],
])("GET %s is refused", async (path, status, code) => {
  const answer = await fetch(`${server.url}${AT}/${path}`, { headers: { authorization } });
  expect(answer.status).toBe(status);
  expect(await answer.json()).toMatchObject({ code });
});

test("nobody follows who is not signed in", async () => {
  expect((await fetch(`${server.url}${AT}/revisions/1/receipt/stream`)).status).toBe(401);
});
