import type { Log } from "../log.ts";
import { type Clock, systemClock } from "./clock.ts";
import { createFanOut, type FanOut } from "./fan-out.ts";
import type { Feed } from "./feed.ts";
import { createInstances, type Instances } from "./instances.ts";
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
  readonly log: Log;
  readonly clock?: Clock;
  readonly watch?: DeliveryWatch;
}

export function createDelivery({ feed, log, clock = systemClock, watch = unwatched }: DeliveryDeps): Delivery {
  const states = createStates(feed);
  const instances = createInstances(clock);
  // Before the fan-out: a receipt is open before the first frame of its commit leaves.
  const receipts = createReceipts({ feed, instances, clock });
  const fanOut = createFanOut({ feed, states, clock, log, watch });
  return { feed, states, instances, receipts, fanOut, clock, log, watch };
}
