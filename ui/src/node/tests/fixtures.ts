import type { Actor, EngineView, Flow, JobStatus, NodeInfo, Picture, TreeEvent } from "../../lib/wire.ts";

/** When the tests' node shows its first picture, in unix milliseconds. */
export const T0 = Date.parse("2026-11-22T09:00:00.000Z");

/** An ISO time so many milliseconds after the first picture. */
export function at(ms: number): string {
  return new Date(T0 + ms).toISOString();
}

const SUPERVISORS: Readonly<Record<string, NonNullable<Actor["strategy"]>>> = {
  root: "one_for_one",
  shared: "one_for_one",
  v1: "one_for_one",
  v2: "one_for_one",
  "v2/pair-0": "rest_for_one",
  v3: "one_for_one",
  "v3/partitions": "one_for_one",
  "v3/partitions/partition-0": "rest_for_one",
};

const PATHS = [
  "root",
  ...["shared", "shared/fan-out", "shared/cache", "shared/aggregator", "shared/bus-sender"],
  ...["shared/bus-receiver", "shared/store-watch"],
  ...["v1", "v1/batcher-0", "v1/batcher-1", "v1/ingest"],
  ...["v2", "v2/log-watch", "v2/pair-0", "v2/pair-0/batcher", "v2/pair-0/reader", "v2/appender", "v2/ingest"],
  ...["v3", "v3/log-watch", "v3/partitions", "v3/partitions/partition-0"],
  ...["v3/partitions/partition-0/batcher", "v3/partitions/partition-0/reader", "v3/appender", "v3/ingest"],
  "http",
];

/** An actor that runs, with what a test changes. */
export function actor(path: string, changes: Partial<Actor> = {}): Actor {
  const cut = path.lastIndexOf("/");
  const strategy = SUPERVISORS[path] ?? null;
  return {
    path,
    parent: path === "root" ? null : cut < 0 ? "root" : path.slice(0, cut),
    kind: strategy === null ? "worker" : "supervisor",
    strategy,
    state: "running",
    generation: 1,
    restarts: 0,
    uptime_seconds: 60,
    mailbox: 0,
    handled_total: 100,
    handled_per_second: 10,
    in_flight: 0,
    limit: path.endsWith("/ingest") ? 4_096 : null,
    last_failure: null,
    ...changes,
  };
}

/** All actors of a node with every version, with what a test changes of some. */
export function actors(changes: Readonly<Record<string, Partial<Actor>>> = {}): Actor[] {
  return PATHS.map((path) => actor(path, changes[path]));
}

/** What came of a version that has no log. */
export function directFlow(changes: Partial<Flow> = {}): Flow {
  return {
    accepted_total: 1_000,
    refused_total: 0,
    in_flight: 0,
    limit: 4_096,
    appends: null,
    read_total: null,
    batches: { count: 100, orders: 1_000, seconds: 1 },
    stored_total: 1_000,
    log: null,
    engine: null,
    ...changes,
  };
}

/** What came of a version with a log. */
export function loggedFlow(changes: Partial<Flow> = {}): Flow {
  return directFlow({
    appends: { count: 50, orders: 1_000, seconds: 0.5 },
    read_total: 1_000,
    log: {
      state: "up",
      reason: null,
      lag: 0,
      pending: 0,
      backlog: 0,
      backlog_limit: 1_000_000,
      dead_letters: 0,
      partitions: [],
    },
    ...changes,
  });
}

/** A log's flow with this lag. */
export function lagging(lag: number | null): Flow {
  const flow = loggedFlow();
  return { ...flow, log: flow.log && { ...flow.log, lag } };
}

/** A job that runs, with what a test changes. */
export function job(changes: Partial<JobStatus> = {}): JobStatus {
  return {
    id: "0199a7f000007000",
    state: "RUNNING",
    restarts: 0,
    checkpoints: 12,
    failed_checkpoints: 0,
    last_checkpoint_at: at(-3_000),
    last_checkpoint_ms: 40,
    ...changes,
  };
}

/** What came of a version whose orders a job stores, with what a test changes. */
export function jobFlow(engine: Partial<EngineView> = {}, changes: Partial<Flow> = {}): Flow {
  return loggedFlow({ engine: { engine: "flink", job: job(), trouble: null, ...engine }, ...changes });
}

/** A picture so many milliseconds after the first, with what a test changes. */
export function picture(ms = 0, changes: Partial<Picture> = {}): Picture {
  return {
    server_timestamp: at(ms),
    started_at: at(-60_000),
    actors: actors(),
    flows: { v1: directFlow(), v2: loggedFlow(), v3: loggedFlow() },
    store: { state: "up", reason: null },
    frames_total: 500,
    sockets: 2,
    hydrations_total: 1,
    events: [],
    ...changes,
  };
}

/** An event so many milliseconds after the first picture. */
export function event(seq: number, ms = seq, changes: Partial<TreeEvent> = {}): TreeEvent {
  return { seq, at: at(ms), path: "v1/ingest", kind: "started", generation: 1, detail: null, ...changes };
}

/** Events from one number to another, both included. */
export function events(from: number, to: number): TreeEvent[] {
  return Array.from({ length: to - from + 1 }, (_, index) => event(from + index));
}

/** A node where anyone may inject faults, with what a test changes. */
export function info(changes: Partial<NodeInfo> = {}): NodeInfo {
  return {
    version: "1.0.0",
    engine: "sqlite",
    started_at: at(-60_000),
    versions: [{ name: "v1", order_path: "/api/v1/order" }],
    menu: { drinks: ["latte"], stores: ["uptown"] },
    faults: "open",
    customers: { max_rate_per_second: 1_000, max_duration_seconds: 60, max_orders: 200_000 },
    ...changes,
  };
}
