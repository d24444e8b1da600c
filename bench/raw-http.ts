import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { serveCalls } from "./remote.ts";

/**
 * The least server on node:http that gives the same answers, byte for byte: the header fields are those of the answers that are measured,
 * made before the first request, and node adds its own. It checks no key, counts nothing, and knows one state. In a process of its own.
 */
export interface RawAnswers {
  readonly body: string;
  readonly etag: string;
  /** Header fields of 200 and of 304, without those that node:http writes itself. */
  readonly ok: Readonly<Record<string, string>>;
  readonly unchanged: Readonly<Record<string, string>>;
}

serveCalls({
  async start({ body, etag, ok, unchanged }: RawAnswers): Promise<number> {
    const bytes = Buffer.from(body);
    const server = createServer((req, res) => {
      if (req.headers["if-none-match"] === etag) res.writeHead(304, unchanged).end();
      else res.writeHead(200, ok).end(bytes);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return (server.address() as AddressInfo).port;
  },
});
