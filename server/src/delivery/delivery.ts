import type { Log } from "../log.ts";
import type { Store } from "../store/store.ts";
import { type Clock, systemClock } from "./clock.ts";
import { createFanOut, type FanOut } from "./fan-out.ts";
import type { Feed } from "./feed.ts";
import { createInstances, type Instances } from "./instances.ts";
import { createReceiptLog } from "./receipt-log.ts";
import { createReceipts, type Receipts } from "./receipts.ts";
import { createStates, type States } from "./state-bytes.ts";
import { type DeliveryWatch, unwatched } from "./watch.ts";

/** Everything that brings committed changes to programs, and knows how far they are. One for each server. */
export interface Delivery {
  readonly feed: Feed;
  readonly states: States;
  readonly instances: Instances;
  readonly receipts: Receipts;
  readonly fanOut: FanOut;
  readonly clock: Clock;
  readonly log: Log;
  readonly watch: DeliveryWatch;
}

interface DeliveryDeps {
  readonly feed: Feed;
  /** Where receipts are kept; without it they live in memory only. */
  readonly store?: Pick<Store, "db" | "transaction">;
  readonly log: Log;
  readonly clock?: Clock;
  readonly watch?: DeliveryWatch;
}

export function createDelivery({ feed, store, log, clock = systemClock, watch = unwatched }: DeliveryDeps): Delivery {
  const states = createStates(feed);
  const instances = createInstances(clock);
  // The time is taken before the fan-out, the programs are counted after it: with thousands of them that takes longer than a kill may.
  // Nothing that they answer can arrive in between.
  let committedMs = 0;
  feed.onCommit(() => {
    committedMs = clock.monotonic();
  });
  const fanOut = createFanOut({ feed, states, clock, log, watch, acknowledging: instances.acknowledging });
  const receiptLog = store && createReceiptLog({ store, clock, log });
  const receipts = createReceipts({ feed, instances, clock, committedMs: () => committedMs, log: receiptLog });
  return { feed, states, instances, receipts, fanOut, clock, log, watch };
}
