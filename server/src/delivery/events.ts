import type { IncomingMessage, ServerResponse } from "node:http";
import { HEARTBEAT_MS } from "@signalbox/core";
import type { InstancesEvent, RevisionEvent, UsageEvent } from "../api-types.ts";
import { may, placeOf } from "../auth/permissions.ts";
import { problem } from "../errors.ts";
import { type Identity, unauthenticated } from "../http/route.ts";
import type { Usage } from "../usage/usage.ts";
import type { Delivery } from "./delivery.ts";
import type { EnvironmentInfo } from "./feed.ts";
import { writeProblem } from "./raw-problem.ts";
import { RawStream } from "./raw-stream.ts";
import type { Receipt } from "./receipts.ts";

/** Open pages at one time; one more is answered 503. */
const LISTENERS_MAX = 200;
/** What an open page may leave unread. Past this it is cut off; it connects again and reads everything anew. */
const UNREAD_BYTES_MAX = 256 * 1024;
/** Receipts, usage and instances can change a thousand times in a second: they are gathered for this long. */
const GATHER_MS = 50;
/** What programs tell of themselves changes all the time, and only the list of them shows it. */
const MOVED_GATHER_MS = 1_000;
/** Reported evaluations gathered at one time; past this the further ones are left out, the page shows the newest soon after. */
const USAGE_GATHERED_MAX = 500;

/** An open page. */
interface Listener {
  readonly stream: RawStream;
  /** Asks anew who listens, and ends the stream if nobody does. */
  identify(): Promise<void>;
  /** Who listens, as they were when last asked: they hear only of what they may read. */
  identity: Identity;
  send(frame: Buffer): void;
}

type EventName = "revision" | "usage" | "instances" | "receipt" | "ping";

export interface AdminEvents {
  /** Answers `GET /api/v1/events`, when it is known who asks. */
  open(req: IncomingMessage, res: ServerResponse): void;
  close(): void;
}

/** Tells open pages of the admin UI what happens. Events are hints that something changed: losing one only delays a page. */
export function createAdminEvents({
  delivery: { feed, instances, receipts, clock, log },
  usage,
  authenticate,
  onRightsChange = () => () => {},
}: {
  delivery: Delivery;
  usage: Pick<Usage, "onUsage">;
  authenticate: (req: IncomingMessage) => Promise<Identity | undefined>;
  /** Tells when somebody may more or less than before, or is not signed in any more. */
  onRightsChange?: (listener: () => void) => () => void;
}): AdminEvents {
  const listeners = new Set<Listener>();
  let opening = 0;
  let stopGathering: (() => void) | undefined;
  const changedReceipts = new Map<string, { environment: EnvironmentInfo; revision: number }>();
  /** Environments whose programs have said something. */
  const moved = new Map<number, EnvironmentInfo>();
  let stopMoving: (() => void) | undefined;
  const changedInstances = new Map<number, InstancesEvent>();
  const gatheredUsage = new Map<string, UsageEvent>();

  function send(event: EventName, environment: EnvironmentInfo | undefined, data: object): void {
    if (!environment) return;
    const place = placeOf(environment);
    const frame = encode(event, data);
    for (const listener of listeners) if (may(listener.identity, "read", place)) listener.send(frame);
  }
  const named = (of: { readonly project: string; readonly environment: string }) =>
    feed.environments().find(({ projectKey, key }) => projectKey === of.project && key === of.environment);

  function gather(): void {
    stopGathering ??= clock.after(GATHER_MS, () => {
      stopGathering = undefined;
      for (const { environment, revision } of changedReceipts.values()) {
        const tell = (receipt: Receipt | undefined) => {
          if (receipt) send("receipt", environment, { project: environment.projectKey, ...receipt });
        };
        const open = receipts.open(environment.id, revision);
        if (open) tell(open);
        // A hint that is lost only delays a page.
        else receipts.of(environment.id, revision).then(tell, () => {});
      }
      for (const event of changedInstances.values()) send("instances", named(event), event);
      for (const event of gatheredUsage.values()) send("usage", named(event), event);
      changedReceipts.clear();
      changedInstances.clear();
      gatheredUsage.clear();
    });
  }

  function noteMoved(environment: EnvironmentInfo): void {
    moved.set(environment.id, environment);
    stopMoving ??= clock.after(MOVED_GATHER_MS, () => {
      stopMoving = undefined;
      for (const environment of moved.values()) {
        const { id, projectKey: project, key } = environment;
        const event: InstancesEvent = { project, environment: key, connected: instances.connected(id), app: null, joined: false };
        send("instances", environment, event);
      }
      moved.clear();
    });
  }

  const stops = [
    onRightsChange(() => {
      for (const listener of listeners) void listener.identify();
    }),
    feed.onCommit((commit) => {
      const environment = feed.environments().find(({ id }) => id === commit.environmentId);
      if (!environment || listeners.size === 0) return;
      const { at, by, action, target } = commit;
      const event: RevisionEvent = {
        project: environment.projectKey,
        environment: environment.key,
        revision: commit.to,
        at,
        by,
        action,
        target,
      };
      send("revision", environment, event);
    }),
    receipts.listen((environment, revision) => {
      if (listeners.size === 0) return;
      changedReceipts.set(`${environment.id}:${revision}`, { environment, revision });
      gather();
    }),
    instances.listen((event) => {
      if (listeners.size === 0) return;
      const { environment, app } = event.instance;
      // A lease, a poll, an acknowledgement: the list of programs looks different, nobody came or went.
      if (event.kind !== "joined" && event.kind !== "left") return noteMoved(environment);
      const joined = event.kind === "joined";
      const before = changedInstances.get(environment.id);
      const isSame = before === undefined || (before.app === app && before.joined === joined);
      changedInstances.set(environment.id, {
        project: environment.projectKey,
        environment: environment.key,
        connected: event.connected,
        app: isSame ? app : null,
        joined,
      });
      gather();
    }),
    usage.onUsage((event) => {
      if (listeners.size === 0) return;
      const name = [event.project, event.environment, event.known, event.flag, event.app, event.variant].join("\n");
      const before = gatheredUsage.get(name);
      if (!before && gatheredUsage.size >= USAGE_GATHERED_MAX) return;
      gatheredUsage.set(name, { ...event, count: event.count + (before?.count ?? 0) });
      gather();
    }),
  ];

  async function identify(req: IncomingMessage): Promise<Identity> {
    const identity = await authenticate(req);
    if (!identity) throw unauthenticated();
    return identity;
  }

  function listen(stream: RawStream, req: IncomingMessage, identity: Identity): void {
    let unread: Buffer[] = [];
    let unreadBytes = 0;
    const listener: Listener = {
      stream,
      identity,
      identify: () =>
        identify(req).then(
          (now) => {
            listener.identity = now;
          },
          () => stream.destroy(),
        ),
      send(frame) {
        if (stream.idle) stream.write(frame);
        else {
          unread.push(frame);
          unreadBytes += frame.length;
          if (unreadBytes > UNREAD_BYTES_MAX) stream.destroy();
        }
      },
    };
    let stopPing = () => {};
    const ping = () => {
      // Whoever signs out or loses a token stops hearing within one heartbeat.
      void listener.identify().then(() => {
        if (stream.destroyed) return;
        listener.send(encode("ping", { at: clock.now() }));
        stopPing = clock.after(HEARTBEAT_MS, ping);
      });
    };
    listeners.add(listener);
    stream.listen({
      idle() {
        if (unread.length === 0) return;
        const frames = Buffer.concat(unread);
        unread = [];
        unreadBytes = 0;
        stream.write(frames);
      },
      close() {
        stopPing();
        listeners.delete(listener);
      },
    });
    ping();
  }

  return {
    open(req, res) {
      if (listeners.size + opening >= LISTENERS_MAX) {
        throw problem("OVERLOADED", `${LISTENERS_MAX} pages listen already; close some, or try again in 10 s.`, {
          headers: { "retry-after": "10" },
        });
      }
      opening += 1;
      identify(req)
        .then((identity) => {
          const stream = RawStream.open(req, res, clock, {});
          if (stream) listen(stream, req, identity);
        })
        .catch((error: unknown) => writeProblem({ req, res, log }, error))
        .finally(() => {
          opening -= 1;
        });
    },
    close() {
      for (const stop of stops) stop();
      stopGathering?.();
      stopMoving?.();
      for (const { stream } of listeners) stream.destroy();
    },
  };
}

function encode(event: EventName, data: object): Buffer {
  return Buffer.from(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}
