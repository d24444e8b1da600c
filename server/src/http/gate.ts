import type { IncomingMessage } from "node:http";
import { type Problem, problem } from "../errors.ts";

/** The head of a request; node:http answers 431 to a longer one by itself. */
export const HEAD_BYTES_MAX = 16 * 1024;
/** Of it the address, with its query. */
const URL_BYTES_MAX = 8 * 1024;

/** What is refused before any route looks at a request, and before a byte of its body is read. Undefined when it may go on. */
export function refusalOf({ url = "", headers }: Pick<IncomingMessage, "url" | "headers">): Problem | undefined {
  if (url.length > URL_BYTES_MAX) {
    return problem("URL_TOO_LONG", `The address has ${url.length} bytes, the most is ${URL_BYTES_MAX}; send less in the query.`);
  }
  // Whole addresses are for proxies. One with a name before its host would make the parser of requests throw.
  if (!url.startsWith("/"))
    return problem("BAD_REQUEST", `The address ${JSON.stringify(url.slice(0, 100))} does not begin with a slash; send the path alone.`);
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding.trim().toLowerCase() !== "identity") {
    // A few kilobytes can unpack to gigabytes: the limits of bodies would have to hold for what comes out.
    return problem("UNSUPPORTED_ENCODING", `The body is compressed (Content-Encoding: ${encoding.slice(0, 50)}); send it as it is.`);
  }
  return undefined;
}
