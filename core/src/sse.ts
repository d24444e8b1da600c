/** One server-sent event. `event` is "message" when the server named none. */
export interface StreamEvent {
  readonly event: string;
  readonly data: string;
  /** The checksum of the data as the server wrote it, eight hexadecimal digits; absent from an older server. */
  readonly crc?: string;
}

/** More characters than this in one event: the reader gives up, because a state is never that large. */
export const EVENT_LENGTH_MAX = 16 * 1024 * 1024;

/**
 * Reads server-sent events from text that arrives in pieces of any size. `push` returns the events that the piece completed, or
 * "oversize" once, after which the reader takes nothing more. An event without its closing blank line is never returned, so a cut
 * stream cannot give half a frame. Comments are skipped, `id` and `retry` are not used: positions travel inside the frames, and the
 * pauses are the sync machine's. The format is WHATWG HTML, section 9.2.6.
 */
export function createEventReader(lengthMax = EVENT_LENGTH_MAX): { push(piece: string): readonly StreamEvent[] | "oversize" } {
  let rest: string[] = []; // pieces of the unfinished line: joined once, so that a large frame in small pieces stays linear
  let event = "";
  let data: string[] = [];
  let crc: string | undefined;
  let length = 0;
  let skipLineFeed = false;
  let over = false;
  let begun = false;

  function line(text: string, events: StreamEvent[]): void {
    if (text === "") {
      if (data.length > 0) events.push({ event: event || "message", data: data.join("\n"), ...(crc !== undefined && { crc }) });
      event = "";
      crc = undefined;
      data = [];
      length = 0;
      return;
    }
    const colon = text.indexOf(":");
    if (colon === 0) return;
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(text[colon + 1] === " " ? colon + 2 : colon + 1);
    if (field === "event") event = value;
    else if (field === "data") data.push(value);
    else if (field === "crc") crc = value;
  }

  return {
    push(piece) {
      if (over || piece === "") return [];
      const events: StreamEvent[] = [];
      // A byte order mark at the very beginning belongs to the encoding; decoders differ in whether they take it away.
      let start = !begun && piece.charCodeAt(0) === 0xfeff ? 1 : 0;
      begun = true;
      for (let at = start; at < piece.length; at++) {
        const code = piece.charCodeAt(at);
        if (code !== 10 && code !== 13) {
          skipLineFeed = false;
          continue;
        }
        if (code === 10 && skipLineFeed) {
          skipLineFeed = false; // the second half of CR LF, perhaps in the next piece
          start = at + 1;
          continue;
        }
        skipLineFeed = code === 13;
        rest.push(piece.slice(start, at));
        length += at - start;
        const whole = rest.length === 1 ? (rest[0] ?? "") : rest.join("");
        rest = [];
        start = at + 1;
        line(whole, events);
      }
      if (start < piece.length) {
        rest.push(piece.slice(start));
        length += piece.length - start;
      }
      if (length > lengthMax) {
        over = true;
        rest = [];
        data = [];
        return "oversize";
      }
      return events;
    },
  };
}
