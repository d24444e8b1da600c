import type { Position } from "@signalbox/core";
import type { Log } from "../log.ts";
import type { Clock } from "./clock.ts";
import type { EnvironmentInfo, Feed } from "./feed.ts";

/** This long programs have to hold more than the server before it believes that its database was restored. */
const AHEAD_MS_MIN = 10_000;
/** Two signs further apart than this have nothing to do with each other. */
const AHEAD_MS_MAX = 600_000;
/** A generation is at least a unix second; one that lies further ahead than a day was never given by a Signalbox. */
const FUTURE_SECONDS_MAX = 86_400;

/**
 * Hears of each program with a server key that holds a later position than this server does: its database is an older copy, or was
 * put back from a backup. A newer position is what programs wait for, so they would ignore every change and every kill until the
 * revisions have caught up. After 10 s of it the generation of the environment is raised once, and they take the state as it is here.
 */
export function createAheadWatch({ feed, clock, log }: { feed: Feed; clock: Clock; log: Log }) {
  const since = new Map<number, number>();
  return (environment: EnvironmentInfo, basis: Position): void => {
    if (basis.generation > clock.now() / 1_000 + FUTURE_SECONDS_MAX) return;
    const now = clock.monotonic();
    const first = since.get(environment.id) ?? Number.NEGATIVE_INFINITY;
    const fields = { environment: environment.key, held: basis, waitedMs: now - first };
    if (now - first > AHEAD_MS_MAX) {
      since.set(environment.id, now);
      log.warn({ ...fields, waitedMs: 0 }, "a program holds a later revision than this server: its database may be an older copy");
    } else if (now - first >= AHEAD_MS_MIN && feed.raiseGeneration) {
      since.delete(environment.id);
      log.warn(
        fields,
        "programs hold a later revision than this server, so its database was restored: the generation is raised and they take the state as it is here",
      );
      feed.raiseGeneration(environment.id, basis.generation).catch((error: unknown) => {
        log.error({ ...fields, err: error }, "the generation could not be raised, it is tried again");
      });
    }
  };
}
