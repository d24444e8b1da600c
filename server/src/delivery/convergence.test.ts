import { type Applied, applyChange, applySnapshot, createState, type Position, type Projection, parseFrame } from "@signalbox/core";
import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { createDelivery } from "./delivery.ts";
import { createStreamListener } from "./stream.ts";
import {
  anyKey,
  booleanFlag,
  collectingLog,
  createTestFeed,
  get,
  manualClock,
  PRODUCTION,
  type RawClient,
  rawClient,
  serve,
  until,
} from "./test-support.ts";

/** What happens between two looks: a commit, time, a cut connection, a restored database. */
const event = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("commit"),
      flag: fc.nat(4),
      remove: fc.boolean(),
      kill: fc.nat(7).map((drawn) => drawn === 0),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("time"), ms: fc.constantFrom(1, 60, 100, 400, 1_000, 15_000) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("cut") }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restore"), back: fc.nat(5) }) },
);
type Event =
  | { kind: "commit"; flag: number; remove: boolean; kill: boolean }
  | { kind: "time"; ms: number }
  | { kind: "cut" }
  | { kind: "restore"; back: number };

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** A client that folds frames and nothing else: no sync machine that would mend what the server does wrong. */
class Folding {
  readonly state = createState();
  readonly seen: Position[] = [];
  client: RawClient | undefined;
  #taken = 0;
  readonly #open: (basis: Position | undefined) => RawClient;

  constructor(open: (basis: Position | undefined) => RawClient) {
    this.#open = open;
    this.connect();
  }

  connect(): void {
    this.take();
    this.client?.socket.destroy();
    this.client = this.#open(this.state.position);
    this.#taken = 0;
  }

  take(): void {
    const frames = this.client?.frames() ?? [];
    for (const { event: name, data, id } of frames.slice(this.#taken)) {
      const read = parseFrame(name, data);
      let applied: Applied | undefined;
      if (read.kind === "snapshot") applied = applySnapshot(this.state, read.frame);
      if (read.kind === "change") applied = applyChange(this.state, read.frame);
      if (applied) {
        expect(applied.kind).toBe("applied");
        expect(id).toBe(`${this.state.position?.generation}.${this.state.position?.revision}`);
        if (this.state.position) this.seen.push(this.state.position);
      } else expect(["hello", "ping"]).toContain(name);
    }
    this.#taken = frames.length;
  }
}

test.each<Projection>(["server", "browser"])(
  "inv-R1 inv-S3: a client with a %s key that folds frames ends at the server's digest and sees every position once, in order",
  async (projection) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(event as fc.Arbitrary<Event>, { maxLength: 40, size: "max" }),
        fc.constantFrom(1, 3, 1_000),
        async (schedule, ringMax) => {
          const clock = manualClock();
          const feed = createTestFeed(ringMax);
          const delivery = createDelivery({ feed, clock, log: collectingLog() });
          const listener = createStreamListener({
            delivery,
            keys: anyKey(projection),
            usage: { onUsage: () => () => {} },
            authenticate: async () => undefined,
          });
          const server = await serve(listener);
          cleanups.push(() => server.close());
          const open = (basis: Position | undefined) => {
            const query = basis ? `?basis=${basis.generation}.${basis.revision}` : "";
            return rawClient(server.port, get(`/sdk/v1/stream${query}`, { authorization: "Bearer any" }));
          };
          const folding = new Folding(open);
          const arrived = async () => {
            const head = feed.head;
            await clock.advance(15_000); // a ping comes after the step to the head
            await until(() => {
              folding.take();
              const { position } = folding.state;
              return position?.generation === head.generation && position.revision === head.revision;
            });
          };

          let fp = 1;
          for (const happened of schedule) {
            if (happened.kind === "commit") {
              const flag = booleanFlag(`f${happened.flag}`, (fp++).toString(16));
              const has = feed.state(PRODUCTION.id, "server").entries.has(`flag:f${happened.flag}`);
              // Which projections see a flag never changes here, so it is decided by its number.
              const browser = happened.flag % 2 === 0;
              feed.commit({
                ...(happened.remove && has ? { remove: [`flag:f${happened.flag}`] } : { put: [flag] }),
                browser,
                action: happened.kill ? "flag.kill" : "flag.configure",
              });
            } else if (happened.kind === "time") await clock.advance(happened.ms);
            else if (happened.kind === "cut") folding.connect();
            else {
              const { generation, revision } = feed.head;
              feed.restore({ generation: generation + 1, revision: Math.max(0, revision - happened.back) });
            }
          }
          await arrived();

          expect(folding.state.digest).toBe(feed.state(PRODUCTION.id, projection).digest);
          expect(new Set(folding.state.entries.keys())).toEqual(new Set(feed.state(PRODUCTION.id, projection).entries.keys()));
          for (const [index, position] of folding.seen.entries()) {
            const before = folding.seen[index - 1];
            if (!before) continue;
            const isNewer =
              position.generation > before.generation || (position.generation === before.generation && position.revision > before.revision);
            expect(isNewer).toBe(true);
          }
          folding.client?.socket.destroy();
          await server.close();
        },
      ),
      { numRuns: 60 },
    );
  },
  60_000,
);
