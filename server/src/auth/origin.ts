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

/** Sent by whoever writes with a session cookie. A page of another origin can send it only after asking this server, which never allows it. */
export const CSRF_HEADER = "x-signalbox-csrf";

/** The second of two checks that stand alone: should a browser, a proxy or a mistake here let the origin pass, this one still holds. */
export function csrfRefusal(header: Header): Problem | undefined {
  return header(CSRF_HEADER) === "1" ? undefined : refused(`the header ${CSRF_HEADER} is not "1"`);
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
