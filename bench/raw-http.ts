import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { serveCalls } from "./remote.ts";

/** The least server on node:http that answers with a state or with 304. In a process of its own. */
serveCalls({
  async start({ body, etag }: { body: string; etag: string }): Promise<number> {
    const bytes = Buffer.from(body);
    const server = createServer((req, res) => {
      if (req.headers["if-none-match"] === etag) res.writeHead(304, { etag, "cache-control": "no-cache" }).end();
      else {
        res
          .writeHead(200, { etag, "cache-control": "no-cache", "content-type": "application/json", "content-length": bytes.length })
          .end(bytes);
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (server.address() as AddressInfo).port;
  },
});
