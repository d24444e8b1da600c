/** The names of time zones that this browser knows, UTC first; the server has the last word. */
export const ZONES: string[] = ["UTC", ...Intl.supportedValuesOf("timeZone").filter((zone) => zone !== "UTC")];
