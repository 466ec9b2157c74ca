import { timeOf } from "../../lib/format.ts";
import type { Picture, TreeEvent } from "../../lib/wire.ts";

/** What waited before a fault is the most that waited in this time before it: single pictures vary. */
export const BASELINE_WINDOW_MS = 1_000;
/** How long a stall lasts where its event does not say. */
const DEFAULT_STALL_MS = 1_000;

/** The steps of a recovery, in their order. */
export const STEPS = ["killed", "restarted", "first-order", "drained"] as const;
export type StepName = (typeof STEPS)[number];

/** A step: `skipped` does not happen after this fault, `unknown` cannot be told. */
export interface Step {
  name: StepName;
  state: "done" | "waiting" | "skipped" | "unknown";
  /** Since the actor died; null unless done. */
  ms: number | null;
}

/** What waits in a picture, by what it is asked of. */
interface Waiting {
  at: number;
  byKey: ReadonlyMap<string, number | null>;
}

/** The last fault and what came of it. Times are the node's, in unix milliseconds. */
export interface Incident {
  path: string;
  seq: number;
  /** `kill`, `panic`, `stall`, or null for a failure that nobody asked for. */
  mode: string | null;
  detail: string | null;
  generation: number;
  nextGeneration: number | null;
  faultAt: number;
  diedAt: number | null;
  startedAt: number | null;
  workedAt: number | null;
  drainedAt: number | null;
  /** What waited before; undefined where the page was not there yet, null where it was unknown. */
  before: number | null | undefined;
}

/** The last fault, and what waited lately. */
export interface Recovery {
  incident: Incident | null;
  waiting: readonly Waiting[];
}

/** Nothing seen yet. */
export const NO_RECOVERY: Recovery = { incident: null, waiting: [] };

/** Follows the last fault: takes the events that are new, then what waits in the picture. */
export function advance(recovery: Recovery, events: readonly TreeEvent[], picture: Picture): Recovery {
  const at = timeOf(picture.server_timestamp);
  if (at === null) return recovery;
  const waiting = waitingIn(picture, at);
  let incident = recovery.incident;
  for (const event of events) incident = afterEvent(incident, event, recovery.waiting);
  if (incident) incident = afterPicture(incident, waiting);
  const kept = recovery.waiting.filter(
    (one) => one.at > at - BASELINE_WINDOW_MS - DEFAULT_STALL_MS && one.at <= at,
  );
  return { incident, waiting: [...kept, waiting] };
}

function afterEvent(incident: Incident | null, event: TreeEvent, past: readonly Waiting[]): Incident | null {
  const at = timeOf(event.at);
  if (at === null || (incident && event.seq <= incident.seq)) return incident;
  if (event.kind === "fault" || event.kind === "failed") {
    if (incident && belongsTo(incident, event, at)) {
      const died = event.kind === "failed" && event.path === incident.path && incident.diedAt === null;
      return died ? { ...incident, diedAt: at } : incident;
    }
    return isConsequence(event) ? incident : begun(event, at, past);
  }
  if (!incident) return null;
  const isNext = event.path === incident.path && event.generation > incident.generation;
  if (event.kind === "started" && isNext && incident.startedAt === null) {
    return { ...incident, startedAt: at, nextGeneration: event.generation };
  }
  if (event.kind !== "first_work" || incident.workedAt !== null) return incident;
  // A supervisor handles no orders: the first below it counts, once it has been started again.
  const isBelow =
    isWithin(incident.path, event.path) && incident.startedAt !== null && at >= incident.startedAt;
  return isNext || isBelow ? { ...incident, workedAt: at } : incident;
}

/** The death that a fault asked for, and the deaths of what was below. Holds however often an event is taken. */
function belongsTo(incident: Incident, event: TreeEvent, at: number): boolean {
  if (event.kind !== "failed") return false;
  if (event.path === incident.path) return event.generation <= incident.generation;
  return isWithin(incident.path, event.path) && (incident.startedAt === null || at <= incident.startedAt);
}

function isConsequence(event: TreeEvent): boolean {
  return event.kind === "failed" && (event.detail ?? "").startsWith("died with ");
}

function begun(event: TreeEvent, at: number, past: readonly Waiting[]): Incident {
  return {
    path: event.path,
    seq: event.seq,
    mode: event.kind === "fault" ? modeOf(event.detail) : null,
    detail: event.detail,
    generation: event.generation,
    nextGeneration: null,
    faultAt: at,
    // A kill comes from outside and takes effect at once; other faults wait for the next message.
    diedAt: event.kind === "failed" || modeOf(event.detail) === "kill" ? at : null,
    startedAt: null,
    workedAt: null,
    drainedAt: null,
    before: baseline(event.path, at, past),
  };
}

function modeOf(detail: string | null): string {
  return /^[a-z]+/i.exec(detail ?? "")?.[0].toLowerCase() ?? "fault";
}

function stallMs(incident: Incident): number {
  return Number(/\d+/.exec(incident.detail ?? "")?.[0] ?? DEFAULT_STALL_MS);
}

function baseline(path: string, at: number, past: readonly Waiting[]): number | null | undefined {
  const earlier = past.filter((one) => one.at <= at && one.at >= at - BASELINE_WINDOW_MS);
  const last = earlier.at(-1) ?? past.findLast((one) => one.at <= at);
  if (!last) return undefined;
  const values = [...earlier, last].map((one) => waitingFor(one, path));
  return values.some((value) => value === null) ? null : Math.max(...values.map((value) => value ?? 0));
}

function afterPicture(incident: Incident, waiting: Waiting): Incident {
  if (incident.drainedAt !== null || incident.before === undefined || incident.before === null)
    return incident;
  const since = incident.mode === "stall" ? incident.faultAt + stallMs(incident) : incident.startedAt;
  if (since === null || waiting.at < since) return incident;
  const now = waitingFor(waiting, incident.path);
  if (now === null || now > incident.before) return incident;
  // A lag is told twice a second only, so it may be of before the fault: with orders waiting, the first one must be done.
  const believed = now === 0 || incident.workedAt !== null || incident.mode === "stall";
  return believed ? { ...incident, drainedAt: waiting.at } : incident;
}

function isWithin(ancestor: string, path: string): boolean {
  return ancestor === "root" ? path !== "root" : path.startsWith(`${ancestor}/`);
}

/** What waits for an actor: orders of its version, or the messages in its mailbox and those below it. */
function waitingFor(waiting: Waiting, path: string): number | null {
  const version = path.split("/")[0] ?? path;
  const orders = waiting.byKey.get(`version:${version}`);
  if (orders !== undefined) return orders;
  let messages: number | null = null;
  for (const [key, value] of waiting.byKey) {
    if (key === path || (!key.startsWith("version:") && isWithin(path, key)))
      messages = (messages ?? 0) + (value ?? 0);
  }
  return messages;
}

function waitingIn(picture: Picture, at: number): Waiting {
  const byKey = new Map<string, number | null>();
  for (const actor of picture.actors) byKey.set(actor.path, actor.mailbox);
  for (const [version, flow] of Object.entries(picture.flows)) {
    const lag = flow.log ? flow.log.lag : 0;
    byKey.set(`version:${version}`, lag === null ? null : flow.in_flight + lag);
  }
  return { at, byKey };
}

/** The steps of a recovery as they are shown. */
export function stepsOf(incident: Incident): Step[] {
  const origin = incident.diedAt ?? incident.faultAt;
  const stalled = incident.mode === "stall" && incident.diedAt === null;
  const step = (name: StepName, at: number | null, otherwise: Step["state"]): Step => ({
    name,
    state: at === null ? otherwise : "done",
    ms: at === null ? null : Math.max(0, at - origin),
  });
  const knowsBefore = incident.before !== undefined && incident.before !== null;
  return [
    step("killed", stalled ? incident.faultAt : incident.diedAt, "waiting"),
    step("restarted", incident.startedAt, stalled ? "skipped" : "waiting"),
    step("first-order", incident.workedAt, stalled ? "skipped" : "waiting"),
    step("drained", incident.drainedAt, knowsBefore ? "waiting" : "unknown"),
  ];
}
