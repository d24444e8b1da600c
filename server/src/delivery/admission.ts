import { type Projection, parseAddress } from "@signalbox/core";
import { type Problem, problem } from "../errors.ts";
import type { Clock } from "./clock.ts";
import type { EventLoop } from "./event-loop.ts";
import type { SdkKeyInfo } from "./feed.ts";
import { createTokenBuckets } from "./token-bucket.ts";
import type { DeliveryWatch, ShedReason } from "./watch.ts";

/** Streams that are open at one time, and how many are taken on in a second. */
export interface StreamLimit {
  readonly openMax: number;
  readonly newPerSecondMax: number;
}

/** Of the whole node, of all streams with one SDK key, and of all from one address. */
export interface StreamLimits extends StreamLimit {
  readonly perKey?: StreamLimit;
  readonly perAddress?: StreamLimit;
}

/**
 * What browser keys may take of the node. They are public: without a part that is kept for server keys, whoever reads one could
 * keep every program that holds a kill-switch out.
 */
const BROWSER_PART = 0.8;
/** Descriptors that streams leave free: for the admin API, kills, the database, the log. */
export const DESCRIPTORS_KEPT = 64;

/** The connections that this process has and may have. */
export interface Descriptors {
  /** Connections that are open now. */
  connections(): number;
  /** How many could be. */
  readonly connectionsMax: number;
}

export interface Admission {
  /** Takes one more stream on; what it returns is called when that one closes. Throws the problem that says when to come back. */
  enter(key: SdkKeyInfo, address: string): () => void;
}

export interface AdmissionDeps {
  readonly limits: StreamLimits;
  readonly clock: Clock;
  readonly eventLoop: Pick<EventLoop, "overloaded">;
  readonly descriptors: Pick<Descriptors, "connectionsMax">;
  readonly watch: Pick<DeliveryWatch, "shed">;
}

export function createAdmission({ limits, clock, eventLoop, descriptors, watch }: AdmissionDeps): Admission {
  const { openMax, newPerSecondMax } = limits;
  const browsersOpenMax = part(openMax);
  const rate = buckets(newPerSecondMax);
  const browserRate = buckets(part(newPerSecondMax));
  const keys = createGate(limits.perKey);
  const addresses = createGate(limits.perAddress);
  const open: Record<Projection, number> = { server: 0, browser: 0 };

  function buckets(perSecond: number) {
    return createTokenBuckets(clock, { perSecond, burst: perSecond });
  }

  /** One limit for each name. What is open is remembered only while it is, so there are never more names than streams. */
  function createGate(limit: StreamLimit | undefined) {
    const opened = new Map<string, number>();
    const arrivals = limit && buckets(limit.newPerSecondMax);
    return {
      isFull: (name: string) => limit !== undefined && (opened.get(name) ?? 0) >= limit.openMax,
      take: (name: string) => arrivals?.take(name) ?? true,
      enter: (name: string) => void opened.set(name, (opened.get(name) ?? 0) + 1),
      leave(name: string) {
        const left = (opened.get(name) ?? 1) - 1;
        if (left > 0) opened.set(name, left);
        else opened.delete(name);
      },
    };
  }

  function refuse(reason: ShedReason, why: string, code: "OVERLOADED" | "RATE_LIMITED" = "OVERLOADED"): Problem {
    watch.shed("stream", reason);
    // Drawn, so that those who were refused together do not come back together.
    const seconds = 5 + Math.floor(Math.random() * 26);
    return problem(code, `${why}; try again in ${seconds} s.`, { headers: { "retry-after": String(seconds) } });
  }

  return {
    enter({ id, projection }, address) {
      const key = String(id);
      const from = network(address);
      const isBrowser = projection === "browser";
      if (eventLoop.overloaded) throw refuse("event-loop", "The server is overloaded and takes no new streams");
      // Streams, not connections: of many that arrive together those who fit are taken, however slowly the others close.
      if (open.server + open.browser >= descriptors.connectionsMax - DESCRIPTORS_KEPT) {
        throw refuse("descriptors", "The server has as many streams as its limit of open files allows");
      }
      if (open.server + open.browser >= openMax) throw refuse("open", `${openMax} streams are open, no more are taken`);
      if (isBrowser && open.browser >= browsersOpenMax) {
        throw refuse("browsers", `${browsersOpenMax} streams of browsers are open, no more are taken`);
      }
      if (keys.isFull(key)) throw refuse("key", `${limits.perKey?.openMax} streams with this SDK key are open`, "RATE_LIMITED");
      if (addresses.isFull(from))
        throw refuse("address", `${limits.perAddress?.openMax} streams from your address are open`, "RATE_LIMITED");
      // The narrow limits first: who is over one of them takes nothing from the others.
      if (!addresses.take(from)) throw refuse("address", "Too many streams were opened from your address in a second", "RATE_LIMITED");
      if (!keys.take(key)) throw refuse("key", "Too many streams were opened with this SDK key in a second", "RATE_LIMITED");
      if (isBrowser && !browserRate.take("new")) {
        throw refuse("browsers", `More than ${part(newPerSecondMax)} streams of browsers were opened in a second`);
      }
      if (!rate.take("new")) throw refuse("rate", `More than ${newPerSecondMax} streams were opened in a second`);

      open[projection] += 1;
      keys.enter(key);
      addresses.enter(from);
      let left = false;
      return () => {
        if (left) return;
        left = true;
        open[projection] -= 1;
        keys.leave(key);
        addresses.leave(from);
      };
    },
  };
}

function part(whole: number): number {
  return Math.max(1, Math.floor(whole * BROWSER_PART));
}

/** An address that one party has alone: IPv4 as it is, also inside IPv6, of IPv6 the /64 that a single subscriber is given. */
export function network(address: string): string {
  const parts = parseAddress(address.split("%")[0] ?? "");
  if (!parts) return address;
  const [, , , , , mark, high = 0, low = 0] = parts;
  const isIPv4 = mark === 0xffff && parts.slice(0, 5).every((part) => part === 0);
  if (isIPv4) return [high >> 8, high & 255, low >> 8, low & 255].join(".");
  return parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(":");
}
