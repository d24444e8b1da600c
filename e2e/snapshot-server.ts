import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import type { SnapshotFrame } from "@signalbox/core";
import { root } from "./world.ts";

export interface SnapshotServer {
  readonly url: string;
  close(): void;
}

/**
 * Serves one snapshot for each SDK key, which never changes, by a real stream; and a page that has the built browser SDK as `window.sdk`.
 * `at` is the time that the server tells, in ms since 1970; `snapshotOf` gives undefined for a key that there is not.
 */
export async function serveSnapshots(at: number, snapshotOf: (sdkKey: string) => SnapshotFrame | undefined): Promise<SnapshotServer> {
  const bundle = readFileSync(join(root, "sdk-browser/dist/signalbox.browser.js"));
  const peer = createServer((request, response) => {
    const asked = new URL(request.url ?? "/", "http://localhost");
    if (asked.pathname === "/browser.js") return void response.writeHead(200, { "content-type": "text/javascript" }).end(bundle);
    if (asked.pathname === "/")
      return void response
        .writeHead(200, { "content-type": "text/html" })
        .end("<!doctype html><title>vectors</title><script type=module>import * as sdk from '/browser.js'; window.sdk = sdk;</script>");
    if (request.method === "POST") return void response.writeHead(204).end();
    const snapshot = snapshotOf(asked.searchParams.get("key") ?? request.headers.authorization?.replace("Bearer ", "") ?? "");
    if (!snapshot || asked.pathname !== "/sdk/v1/stream") return void response.writeHead(404).end();
    const hello = {
      protocol: 1,
      environment: snapshot.environment,
      project: snapshot.project,
      production: false,
      projection: "server",
      generation: 1,
      head: 1,
      factsAt: 0,
      heartbeatMs: 15_000,
      at,
      emergency: [],
    };
    response.writeHead(200, { "content-type": "text/event-stream", "access-control-allow-origin": "*" });
    response.write(`event: hello\ndata: ${JSON.stringify(hello)}\n\nid: 1.1\nevent: snapshot\ndata: ${JSON.stringify(snapshot)}\n\n`);
  });
  await new Promise<void>((resolve) => peer.listen(0, "127.0.0.1", resolve));
  const address = peer.address();
  return {
    url: `http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`,
    close() {
      peer.closeAllConnections();
      peer.close();
    },
  };
}
