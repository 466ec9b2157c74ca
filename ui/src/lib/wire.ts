/** Shapes of the node's answers. Times are ISO 8601 in UTC; amounts are numbers with at most two decimals. */

export interface StoredOrder {
  id: number;
  drink: string;
  store: string;
  price: number;
  timestamp: string;
}
export interface CurrentHour {
  hour: number;
  top_drinks: string[];
  revenue: number;
  order_count: number;
}

/** GET /api/dashboard, WS /ws/dashboard */
export interface Dashboard {
  current_hour: CurrentHour | null; // UTC hour; null where it has no orders
  top5_drinks: string[]; // last 30 days
  recent_orders: StoredOrder[]; // newest first, at most 10
  stored_total: number;
  server_timestamp: string;
}

/** GET /api/sales, WS /ws/sales: a frame at once, then after each change (at most one each 100 ms), at least one each second. */
export interface Sales extends Dashboard {
  accepted_at: string | null; // when the newest order of this frame was accepted by a node; null where unknown
  hours: { hour: string; order_count: number; revenue: number }[]; // starts of UTC hours of the last 48 h that have orders, ascending
  cells: { store: string; drink: string; order_count: number; revenue: number }[]; // of the present UTC hour; absent = 0
  seconds: { at: number; orders: number }[]; // the last seconds (unix time), ascending, the present one (unfinished) last
}

/** GET /api/history */
export interface History {
  server_timestamp: string;
  seconds: { from: number; orders: (number | null)[] }; // 300 finished seconds; null before this node began to count
  minutes: { from: string; orders: number[]; revenue: number[] }; // 60 minutes by the orders' own time, the present one last
}

/** GET /api/node */
export interface NodeInfo {
  version: string;
  engine: "sqlite" | "postgres";
  started_at: string;
  versions: { name: "v1" | "v2" | "v3"; order_path: string }[];
  menu: { drinks: string[]; stores: string[] };
  faults: "open" | "token" | "off"; // who may inject faults and start customers: anyone here, who sends the bearer token, nobody
  customers: { max_rate_per_second: number; max_duration_seconds: number };
}

export interface Actor {
  path: string;
  parent: string | null;
  kind: "supervisor" | "worker";
  strategy: string | null;
  state: "starting" | "running" | "restarting" | "stopped";
  generation: number;
  restarts: number;
  uptime_seconds: number;
  mailbox: number;
  handled_total: number;
  handled_per_second: number;
  in_flight: number;
  limit: number | null;
  last_failure: string | null;
}
/** Sums since the node's start: rates and means come from the differences of two pictures. */
export interface Work {
  count: number;
  orders: number;
  seconds: number;
}
export interface LogState {
  state: "unknown" | "up" | "full" | "away";
  reason: string | null;
  lag: number | null;
  pending: number | null;
  backlog: number | null;
  backlog_limit: number | null;
  dead_letters: number | null;
  partitions: { partition: number; lag: number | null }[];
}
export interface Flow {
  accepted_total: number; // answered 200 by this node
  refused_total: number; // answered 503 by this node
  in_flight: number;
  limit: number; // orders of this version between HTTP and their acknowledgement
  appends: Work | null; // into the log; null for v1, which has none
  read_total: number | null; // out of the log, repeated deliveries included
  batches: Work; // transactions of this node
  stored_total: number; // orders inserted by this node
  log: LogState | null;
}
export interface TreeEvent {
  seq: number;
  at: string;
  path: string;
  kind: "fault" | "failed" | "started" | "first_work" | "stopped";
  generation: number;
  detail: string | null; // the fault's mode, the reason of a failure
}
/** GET /api/actors, WS /ws/actors: at each change of the tree (at most one each 50 ms) and at least each 250 ms. */
export interface Picture {
  server_timestamp: string;
  actors: Actor[]; // parents before children
  flows: Record<string, Flow>; // by version
  store: { state: "unknown" | "up" | "away"; reason: string | null };
  frames_total: number;
  sockets: number;
  hydrations_total: number;
  events: TreeEvent[]; // the last 64, ascending; older ones and gaps: GET /api/events?after=SEQ
}
/** GET /api/events?after=SEQ&limit=N: ascending, at most 1000 (the default); the node keeps the last 10,000. */
export interface Events {
  events: TreeEvent[];
  newest_seq: number;
}

/** GET /api/customers; POST starts (202), DELETE stops (200): the same answer. 409 where some are under way. */
export interface Customers {
  running: Run | null;
  last: Run | null;
}
export interface Run {
  version: "v1" | "v2" | "v3";
  rate_per_second: number;
  duration_seconds: number;
  started_at: string;
  elapsed_seconds: number;
  sent: number;
  acknowledged: number;
  refused: number;
  unknown: number;
  p50_ms: number;
  p99_ms: number;
  broken_promises: number;
}
export interface StartCustomers {
  version: string;
  rate_per_second: number;
  duration_seconds: number;
}

/** application/problem+json (RFC 9457) */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  errors?: { field: string; message: string }[];
}
