import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { asProblem, problemBody } from "../errors.ts";
import type { Log } from "../log.ts";

/** Answers a request on node:http with the problem that was thrown, and closes the connection after it. */
export function writeProblem(
  { req, res, log }: { req: IncomingMessage; res: ServerResponse; log: Log },
  error: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const failure = asProblem(error);
  const requestId = randomUUID();
  if (failure.code === "INTERNAL") log.error({ err: error, requestId }, "a request could not be answered");
  if (!res.socket || res.headersSent) {
    req.socket.destroy();
    return;
  }
  const body = Buffer.from(JSON.stringify(problemBody(failure, requestId)));
  res.writeHead(failure.status, {
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-length": body.length,
    connection: "close",
    ...headers,
    ...failure.extra.headers,
  });
  // For HEAD node:http leaves the body out.
  res.end(body);
}
