import { isNewer, type Position } from "@signalbox/core";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Descriptors } from "../delivery/admission.ts";
import type { Delivery } from "../delivery/delivery.ts";
import type { EventLoop } from "../delivery/event-loop.ts";
import type { EnvironmentInfo } from "../delivery/feed.ts";
import type { Instance } from "../delivery/instances.ts";
import type { DeliveryWatch } from "../delivery/watch.ts";
import type { Heartbeat } from "../heartbeat/heartbeat.ts";

/** Instances named one by one: those that are furthest behind. A series for each of thousands would cost more than it tells. */
const INSTANCES_NAMED_MAX = 100;
/** Commits whose acknowledgements are still timed; later ones are too old to be news. */
const COMMITS_TIMED_MAX = 1_000;
const PROPAGATION_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** What is counted of a server, in the text form of Prometheus. */
export interface Metrics {
  readonly contentType: string;
  /** For delivery, which is made after this. */
  readonly watch: DeliveryWatch;
  follow(parts: Followed): void;
  text(): Promise<string>;
  names(): readonly string[];
  close(): void;
}

export interface Followed {
  readonly delivery: Delivery;
  readonly eventLoop: EventLoop;
  readonly descriptors: Descriptors;
  readonly heartbeat: Pick<Heartbeat, "read">;
  /** Reads something from the database; rejects when that cannot be read. */
  readonly readDatabase: () => Promise<unknown>;
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const shed = new Counter({
    name: "signalbox_shed_total",
    help: "Requests refused to protect others",
    labelNames: ["what", "reason"],
    registers,
  });
  const dropped = new Counter({
    name: "signalbox_dropped_streams_total",
    help: "Streams destroyed by the server: stalled ones took nothing for 30 s, for broken ones no frame could be made",
    labelNames: ["reason"],
    registers,
  });
  const propagation = new Histogram({
    name: "signalbox_propagation_seconds",
    help: "From a commit until its frame was written to every stream that could take it, and until each program acknowledged it",
    labelNames: ["until"],
    buckets: PROPAGATION_SECONDS,
    registers,
  });
  const writes = new Counter({ name: "signalbox_writes_total", help: "Committed change-sets", labelNames: ["action"], registers });
  const writeSeconds = new Histogram({
    name: "signalbox_write_seconds",
    help: "From the request of a write to its commit",
    buckets: PROPAGATION_SECONDS,
    registers,
  });

  const watch: DeliveryWatch = {
    dropped: (reason) => dropped.inc({ reason }),
    shed: (what, reason) => shed.inc({ what, reason }),
    written: (ms) => propagation.observe({ until: "written" }, ms / 1_000),
  };
  const stops: (() => void)[] = [];

  /** A value that is looked at when somebody asks for it. */
  function gauge(name: string, help: string, labelNames: readonly string[], collect: (self: Gauge) => void | Promise<void>): void {
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers,
      collect() {
        this.reset();
        return collect(this);
      },
    });
  }

  function follow({ delivery, eventLoop, descriptors, heartbeat, readDatabase }: Followed): void {
    const { feed, fanOut, instances, clock } = delivery;
    const names = ({ projectKey, key }: EnvironmentInfo) => ({ project: projectKey, environment: key });
    const environments = ["project", "environment"];

    gauge("signalbox_streams", "Open streams", [...environments, "projection"], (self) => {
      for (const { environment, projection, open } of fanOut.counts()) self.set({ ...names(environment), projection }, open);
    });
    gauge("signalbox_connections", "Open connections of every kind", [], (self) => self.set(descriptors.connections()));
    gauge("signalbox_connections_max", "Connections that the limit of open files allows; streams stop 64 below it", [], (self) =>
      self.set(descriptors.connectionsMax),
    );
    gauge("signalbox_revision", "The newest revision", environments, (self) => {
      for (const environment of feed.environments()) self.set(names(environment), feed.state(environment.id, "server").revision);
    });
    gauge("signalbox_generation", "Its generation, which changes when a database is restored", environments, (self) => {
      for (const environment of feed.environments()) self.set(names(environment), feed.state(environment.id, "server").generation);
    });
    gauge("signalbox_applied_revision", "The oldest revision that a connected server program holds", environments, (self) => {
      for (const environment of feed.environments()) {
        let oldest = Number.POSITIVE_INFINITY;
        for (const instance of instances.all(environment.id)) {
          if (isFollowing(instance)) oldest = Math.min(oldest, instance.position?.revision ?? 0);
        }
        if (oldest !== Number.POSITIVE_INFINITY) self.set(names(environment), oldest);
      }
    });
    gauge("signalbox_instances", "Running programs", [...environments, "kind", "state"], (self) => {
      for (const environment of feed.environments()) {
        for (const { kind, silent, transport } of instances.all(environment.id)) {
          self.inc({ ...names(environment), kind, state: silent ? "silent" : transport === "poll" ? "polling" : "connected" });
        }
      }
    });
    gauge(
      "signalbox_instance_lag_revisions",
      `Revisions that a server program is behind; the ${INSTANCES_NAMED_MAX} furthest behind, of those that are`,
      [...environments, "app", "instance"],
      (self) => {
        const behind = feed.environments().flatMap((environment) => {
          const head = feed.state(environment.id, "server");
          return instances.all(environment.id).flatMap((instance) => {
            const lag = lagOf(instance, head);
            return instance.kind === "server" && lag > 0 ? [{ environment, instance, lag }] : [];
          });
        });
        for (const { environment, instance, lag } of behind.sort((a, b) => b.lag - a.lag).slice(0, INSTANCES_NAMED_MAX)) {
          self.set({ ...names(environment), app: instance.app, instance: instance.instance }, lag);
        }
      },
    );
    gauge("signalbox_frames_total", "Frames handed to streams since the start", ["event"], (self) => {
      for (const [event, count] of Object.entries(fanOut.sent)) self.set({ event }, count);
    });
    gauge("signalbox_event_loop_lag_seconds", "How late the event loop was at the last look, ten times a second", [], (self) =>
      self.set(eventLoop.lagMs / 1_000),
    );
    gauge("signalbox_overloaded", "1 while new streams and usage reports are refused because the event loop is late", [], (self) =>
      self.set(eventLoop.overloaded ? 1 : 0),
    );
    let readAt = clock.monotonic();
    gauge(
      "signalbox_database_age_seconds",
      "Since the database last answered; it is asked by each look at the metrics",
      [],
      async (self) => {
        try {
          await readDatabase();
          readAt = clock.monotonic();
        } catch {
          // The age says it, and goes on growing.
        }
        self.set((clock.monotonic() - readAt) / 1_000);
      },
    );

    gauge(
      "signalbox_heartbeat_latency_seconds",
      "From the request of the last heartbeat to the new answer in a connected program",
      [],
      (self) => {
        const { latencyMs } = heartbeat.read();
        if (latencyMs !== null) self.set(latencyMs / 1_000);
      },
    );
    gauge("signalbox_heartbeat_age_seconds", "Since a heartbeat last arrived; one is sent every 30 s", [], (self) => {
      const { at } = heartbeat.read();
      if (at !== null) self.set(Math.max(0, clock.now() - at) / 1_000);
    });
    gauge("signalbox_heartbeat_failing", "1 when the last heartbeat did not arrive", [], (self) =>
      self.set(heartbeat.read().state === "failing" ? 1 : 0),
    );

    const committed = new Map<string, { at: number; by: Set<string> }>();
    const place = (environmentId: number, { generation, revision }: Position) => `${environmentId}:${generation}.${revision}`;
    stops.push(
      feed.onCommit((commit) => {
        writes.inc({ action: commit.action });
        writeSeconds.observe(commit.storedMs / 1_000);
        const { environmentId, generation, to: revision } = commit;
        committed.set(place(environmentId, { generation, revision }), { at: clock.monotonic(), by: new Set() });
        for (const oldest of committed.keys()) {
          if (committed.size <= COMMITS_TIMED_MAX) break;
          committed.delete(oldest);
        }
      }),
      instances.listen((event) => {
        if (event.kind !== "acknowledged") return;
        const { environment, instance } = event.instance;
        const commit = committed.get(place(environment.id, event.position));
        // A lease tells the same position again and again: only the first time is news.
        if (!commit || commit.by.has(instance)) return;
        commit.by.add(instance);
        propagation.observe({ until: "acknowledged" }, (clock.monotonic() - commit.at) / 1_000);
      }),
    );
  }

  return {
    contentType: registry.contentType,
    watch,
    follow,
    text: () => registry.metrics(),
    names: () => registry.getMetricsAsArray().map(({ name }) => name),
    close() {
      for (const stop of stops) stop();
      registry.clear();
    },
  };
}

/** A server program whose word we have: it acknowledges what it applies, and was heard within its lease. */
function isFollowing({ kind, silent, transport, acks }: Instance): boolean {
  return kind === "server" && !silent && transport === "stream" && acks === "all";
}

function lagOf({ position, acks }: Instance, head: Position): number {
  if (acks !== "all" || !position) return 0;
  if (position.generation !== head.generation) return isNewer(head, position) ? head.revision : 0;
  return head.revision - position.revision;
}
