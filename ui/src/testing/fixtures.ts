import type { History, NodeInfo, Picture, Run, Sales } from "../lib/wire.ts";

/** A frame of sales, with what a test changes. */
export function sales(changes: Partial<Sales> = {}): Sales {
  return {
    current_hour: { hour: 9, top_drinks: ["latte", "americano"], revenue: 1234.5, order_count: 300 },
    top5_drinks: ["cappuccino", "latte"],
    recent_orders: [
      { id: 12, drink: "latte", store: "uptown", price: 4.5, timestamp: "2026-11-22T09:10:05Z" },
      { id: 11, drink: "americano", store: "airport", price: 3, timestamp: "2026-11-22T09:10:04Z" },
    ],
    stored_total: 123456,
    server_timestamp: "2026-11-22T09:10:06Z",
    accepted_at: "2026-11-22T09:10:05.900Z",
    hours: [
      { hour: "2026-11-22T08:00:00Z", order_count: 40, revenue: 160 },
      { hour: "2026-11-22T09:00:00Z", order_count: 300, revenue: 1234.5 },
    ],
    cells: [
      { store: "uptown", drink: "latte", order_count: 200, revenue: 900 },
      { store: "airport", drink: "latte", order_count: 20, revenue: 34.5 },
      { store: "airport", drink: "americano", order_count: 80, revenue: 300 },
    ],
    seconds: [
      { at: 1_795_338_604, orders: 10 },
      { at: 1_795_338_605, orders: 20 },
      { at: 1_795_338_606, orders: 3 },
    ],
    ...changes,
  };
}

/** A history of 300 seconds and 60 minutes. */
export function history(changes: Partial<History> = {}): History {
  return {
    server_timestamp: "2026-11-22T09:10:06Z",
    seconds: { from: 1_795_338_306, orders: Array.from({ length: 300 }, (_, at) => (at < 100 ? null : 5)) },
    minutes: {
      from: "2026-11-22T08:11:00Z",
      orders: Array.from({ length: 60 }, (_, at) => at),
      revenue: Array.from({ length: 60 }, (_, at) => at * 4),
    },
    ...changes,
  };
}

/** A node that runs v1 and v3, where anyone may inject faults. */
export function nodeInfo(changes: Partial<NodeInfo> = {}): NodeInfo {
  return {
    version: "0.9.0",
    engine: "sqlite",
    started_at: "2026-11-22T08:00:00Z",
    versions: [
      { name: "v1", order_path: "/api/v1/order" },
      { name: "v3", order_path: "/api/v3/order" },
    ],
    menu: { drinks: ["cappuccino", "americano", "latte"], stores: ["uptown", "airport"] },
    faults: "open",
    customers: { max_rate_per_second: 1_000, max_duration_seconds: 600, max_orders: 200_000 },
    ...changes,
  };
}

/** A run of customers that is under way. */
export function run(changes: Partial<Run> = {}): Run {
  return {
    version: "v1",
    rate_per_second: 50,
    duration_seconds: 20,
    started_at: "2026-11-22T09:10:00Z",
    elapsed_seconds: 5,
    sent: 250,
    acknowledged: 248,
    refused: 1,
    unknown: 1,
    p50_ms: 2.5,
    p99_ms: 9.1,
    broken_promises: 0,
    ...changes,
  };
}

/** A picture of a small tree, all well. */
export function picture(changes: Partial<Picture> = {}): Picture {
  const actor = {
    kind: "worker",
    strategy: null,
    state: "running",
    generation: 1,
    restarts: 0,
    uptime_seconds: 60,
    mailbox: 0,
    handled_total: 10,
    handled_per_second: 1,
    in_flight: 0,
    limit: null,
    last_failure: null,
  } as const;
  return {
    server_timestamp: "2026-11-22T09:10:06Z",
    started_at: "2026-11-22T08:00:00Z",
    actors: [
      { ...actor, path: "root", parent: null, kind: "supervisor", strategy: "one_for_one" },
      { ...actor, path: "v1", parent: "root", kind: "supervisor", strategy: "one_for_one" },
      { ...actor, path: "v1/batcher-0", parent: "v1" },
    ],
    flows: {
      v1: {
        accepted_total: 10,
        refused_total: 0,
        in_flight: 0,
        limit: 4_096,
        appends: null,
        read_total: null,
        batches: { count: 2, orders: 10, seconds: 0.01 },
        stored_total: 10,
        log: null,
        engine: null,
      },
    },
    store: { state: "up", reason: null },
    frames_total: 5,
    sockets: 2,
    hydrations_total: 1,
    events: [
      { seq: 1, at: "2026-11-22T09:00:00Z", path: "root", kind: "started", generation: 1, detail: null },
    ],
    ...changes,
  };
}
