import { isObject } from "./attribute.ts";

/** What the answers of a server to an SDK's requests mean, whichever client of HTTP has them. */

/** A body of JSON; undefined for one of something else. */
export function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the status has to do
  }
}

/** The sentence of a problem+json body. */
export function readDetail(text: string): string | undefined {
  const problem = readJson(text);
  const detail = isObject(problem) && problem.detail;
  return typeof detail === "string" && detail !== "" ? detail.slice(0, 300) : undefined;
}

/** What became of a report or an acknowledgement. "refused": sending the same again is pointless. */
export function sendResult(status: number): "sent" | "refused" | "failed" {
  if (status >= 200 && status < 300) return "sent";
  return status === 400 || status === 413 || status === 422 ? "refused" : "failed";
}
