/** What the answers of a server to an SDK's requests mean, whichever client of HTTP has them. */

/** The sentence of a problem+json body. */
export function readDetail(text: string): string | undefined {
  try {
    const { detail } = JSON.parse(text) as { detail?: unknown };
    return typeof detail === "string" && detail !== "" ? detail.slice(0, 300) : undefined;
  } catch {
    return undefined; // a body of something else: the status has to do
  }
}

/** What became of a report or an acknowledgement. "refused": sending the same again is pointless. */
export function sendResult(status: number): "sent" | "refused" | "failed" {
  if (status >= 200 && status < 300) return "sent";
  return status === 400 || status === 413 || status === 422 ? "refused" : "failed";
}
