import { type Problem, problem } from "../errors.ts";

/** Reads one header of a request, whichever kind of request it is. */
export type Header = (name: string) => string | undefined;

/**
 * Refuses a write that a page of another origin could have caused. Browsers send `Sec-Fetch-Site` on https and localhost, and
 * `Origin` with every write; a request with neither comes from no page, and then it may not lean on a cookie either.
 */
export function crossOriginRefusal(header: Header, publicUrl: string): Problem | undefined {
  const site = header("sec-fetch-site");
  if (site !== undefined) return site === "same-origin" ? undefined : refused(`Sec-Fetch-Site is "${site}"`);
  const origin = header("origin");
  if (origin === undefined) return refused("it names no Origin");
  return isOwn(origin, header("host"), publicUrl) ? undefined : refused(`its Origin is "${origin}"`);
}

function isOwn(origin: string, host: string | undefined, publicUrl: string): boolean {
  if (origin === new URL(publicUrl).origin) return true;
  return host !== undefined && (origin === `http://${host}` || origin === `https://${host}`);
}

function refused(why: string): Problem {
  return problem(
    "CROSS_ORIGIN",
    `A write with a session cookie must come from a page of this server (${why}); programs send a token as 'Authorization: Bearer sb_…'.`,
  );
}
