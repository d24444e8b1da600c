import { murmur3 } from "./bucket.ts";
import type { Position } from "./model.ts";
import { isNewer } from "./position.ts";
import type { Acknowledgement } from "./protocol.ts";

/** Which acknowledgements a server takes, as its `hello` said. */
export interface AckTerms {
  /** How often the lease is renewed; 0: never. */
  readonly leaseMs: number;
  /** The part of the instances that acknowledge, from 0 to 1. */
  readonly sample: number;
}

export interface AckPorts {
  now(): number;
  random(): number;
  after(ms: number, run: () => void, hold: boolean): () => void;
  send(path: "ack", body: string, hold: boolean): Promise<"sent" | "refused" | "failed">;
}

export interface Acks {
  /** A kill was applied: told at once, or within `spreadMs` where so many are that the server asks for it. */
  urgent(position: Position, spreadMs: number): void;
  /** Called after every step. Without terms there is no stream to acknowledge on, and without leases in them nothing but kills is told. */
  look(terms: AckTerms | undefined, position: Position | undefined): void;
}

/** What is no kill is told within this time, the newest position only. */
const BATCH_MS = 50;
/** One that did not arrive is told again after this; a kill's receipt waits for 10 s. */
const AGAIN_MS = 2_000;

/**
 * Tells the server which position is applied: kills at once, everything else gathered, and the same position again as a lease, so that
 * a program that is stuck is told from one that has nothing to say. One timer, and but for kills one request at a time.
 */
export function createAcks(ports: AckPorts, instance: string): Acks {
  let terms: AckTerms | undefined;
  let held: Position | undefined;
  let dueAt = Number.POSITIVE_INFINITY;
  let cancel = () => {};
  let sending = false;
  /** A kill is still to be told, which the end of a stream does not change. */
  let owed = false;

  const takesPart = (given: AckTerms) => isSampled(instance, given.sample);

  function rest(): void {
    cancel();
    dueAt = Number.POSITIVE_INFINITY;
  }

  function plan(inMs: number): void {
    const due = ports.now() + inMs;
    if (due >= dueAt) return;
    cancel();
    dueAt = due;
    cancel = ports.after(inMs, () => void tell(), false);
  }

  function renew(): void {
    // A little early and never all at the same time.
    if (terms !== undefined && terms.leaseMs > 0 && takesPart(terms)) plan(terms.leaseMs * (0.8 + 0.2 * ports.random()));
  }

  async function tell(): Promise<void> {
    rest();
    owed = false;
    if (held === undefined) return renew();
    if (sending) return plan(BATCH_MS);
    sending = true;
    const result = await post(held);
    sending = false;
    if (result === "failed" && terms !== undefined) plan(AGAIN_MS);
    renew();
  }

  async function post(position: Position): Promise<"sent" | "refused" | "failed"> {
    const acknowledgement: Acknowledgement = { instance, generation: position.generation, revision: position.revision };
    try {
      return await ports.send("ack", JSON.stringify(acknowledgement), false);
    } catch {
      return "failed"; // a port that throws costs one attempt
    }
  }

  return {
    urgent(position, spreadMs) {
      if (terms !== undefined && !takesPart(terms)) return;
      held = position;
      if (spreadMs > 0) {
        owed = true;
        return plan(spreadMs * ports.random());
      }
      void post(position).then((result) => {
        if (result === "failed" && terms !== undefined) plan(AGAIN_MS);
      });
    },
    look(given, position) {
      if (given !== terms) {
        if (!owed) rest();
        terms = given;
        renew();
      }
      if (position === undefined || (held !== undefined && !isNewer(position, held))) return;
      held = position;
      if (terms !== undefined && takesPart(terms)) plan(BATCH_MS * ports.random());
    },
  };
}

/** Whether an instance is among the part of all that is asked to acknowledge. The server can tell as well, so it knows whom to wait for. */
export function isSampled(instance: string, sample: number): boolean {
  return sample >= 1 || murmur3(instance, 0) < sample * 2 ** 32;
}
