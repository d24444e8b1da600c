import type { IncomingMessage, ServerResponse } from "node:http";
import { problem } from "../errors.ts";
import { type Identity, unauthenticated } from "../http/route.ts";
import type { Delivery } from "./delivery.ts";
import { find, noReceipt, readableFeed } from "./delivery-routes.ts";
import { writeProblem } from "./raw-problem.ts";
import { RawStream } from "./raw-stream.ts";
import type { Receipt } from "./receipts.ts";

const PATH = /^\/api\/v1\/projects\/([^/]+)\/environments\/([^/]+)\/revisions\/(\d{1,15})\/receipt\/stream$/;
/** A stream ends by then, complete or not. */
const OPEN_MS_MAX = 30_000;
/** Open at one time; one more is answered 503. */
const STREAMS_MAX = 200;
/** Acknowledgements come by the thousand: what changes is gathered for this long. */
const GATHER_MS = 50;

export interface ReceiptStreams {
  takes(path: string): boolean;
  /** Answers the request when it is known who asks. */
  open(req: IncomingMessage, res: ServerResponse, path: string): void;
  close(): void;
}

/** A receipt as it grows, for `curl`: one event for each change, until it is complete. */
export function createReceiptStreams({
  delivery: { feed, receipts, clock, log },
  authenticate,
}: {
  delivery: Pick<Delivery, "feed" | "receipts" | "clock" | "log">;
  authenticate: (req: IncomingMessage) => Promise<Identity | undefined>;
}): ReceiptStreams {
  const streams = new Set<RawStream>();
  let open = 0;

  async function answer(req: IncomingMessage, res: ServerResponse, path: string): Promise<void> {
    const identity = await authenticate(req);
    if (!identity) throw unauthenticated();
    const [, project = "", key = "", digits] = PATH.exec(path) ?? [];
    const environment = find(readableFeed(feed, identity), { project: decoded(project), environment: decoded(key) });
    const revision = Number(digits);
    if (!(await receipts.of(environment.id, revision))) throw noReceipt(environment, revision);
    const stream = RawStream.open(req, res, clock, {});
    if (stream) follow(stream, environment.id, revision);
  }

  function follow(stream: RawStream, environmentId: number, revision: number): void {
    let stopGathering: (() => void) | undefined;
    let changed = true;
    let over = false;
    const send = () => {
      stopGathering = undefined;
      // While a frame is in flight the newest waits: `idle` calls here again.
      if (!changed || !stream.idle) return;
      changed = false;
      const receipt = receipts.open(environmentId, revision);
      if (receipt) write(receipt);
      // One that is not open changes no more.
      else receipts.of(environmentId, revision).then(write, () => stream.destroy());
    };
    const write = (receipt: Receipt | undefined) => {
      const frame = Buffer.from(`event: receipt\ndata: ${JSON.stringify(receipt)}\n\n`);
      if (over || !receipt || receipt.complete || !receipt.open) stream.end(frame);
      else stream.write(frame);
    };
    const stopListening = receipts.listen((environment, changedRevision) => {
      if (environment.id !== environmentId || changedRevision !== revision) return;
      changed = true;
      stopGathering ??= clock.after(GATHER_MS, send);
    });
    const stopTimer = clock.after(OPEN_MS_MAX, () => {
      over = true;
      changed = true;
      if (stream.idle) send();
      else stream.destroy();
    });
    open += 1;
    streams.add(stream);
    stream.listen({
      idle: () => {
        if (!stopGathering) send();
      },
      close() {
        open -= 1;
        streams.delete(stream);
        stopListening();
        stopTimer();
        stopGathering?.();
      },
    });
    send();
  }

  return {
    takes: (path) => PATH.test(path),
    open(req, res, path) {
      if (open >= STREAMS_MAX) {
        throw problem("OVERLOADED", `${STREAMS_MAX} receipts are followed already; ask with waitMs instead, or try again in 10 s.`, {
          headers: { "retry-after": "10" },
        });
      }
      answer(req, res, path).catch((error: unknown) => writeProblem({ req, res, log }, error));
    },
    close() {
      for (const stream of streams) stream.destroy();
    },
  };
}

/** A name in an address; one that cannot be read is no name that anybody has. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
