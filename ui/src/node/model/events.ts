import type { Events, TreeEvent } from "../../lib/wire.ts";

/** Events kept by the page; the oldest go first. */
export const MAX_EVENTS = 10_000;

/** The kinds of events, as the filter shows them. */
export const EVENT_KINDS = ["fault", "failed", "started", "first_work", "stopped"] as const;

/** An event and the start of the node it belongs to: numbers begin anew with each start. */
export interface Kept {
  run: number;
  event: TreeEvent;
}

/** What the page knows of the tree's events. */
export interface EventStore {
  /** Grows with each start of the node that was noticed. */
  run: number;
  /** Ascending by run, then by number. */
  kept: readonly Kept[];
  /** The node keeps no event of this run below this number. */
  lostBelow: number;
}

/** Numbers that are missing, both included. */
export interface Gap {
  from: number;
  to: number;
}

/** A line of the log. */
export type Line =
  | { type: "event"; key: string; event: TreeEvent }
  | { type: "gap"; key: string; count: number; lost: boolean }
  | { type: "restart"; key: string };

/** Nothing known yet. */
export const NO_EVENTS: EventStore = { run: 0, kept: [], lostBelow: 1 };

/** The number of this run's newest event; 0 where there is none. */
export function newestSeq(store: EventStore): number {
  const last = store.kept.at(-1);
  return last?.run === store.run ? last.event.seq : 0;
}

/** Whether these events cannot be of the run whose events are kept. */
export function contradicts(store: EventStore, events: readonly TreeEvent[]): boolean {
  const newest = newestSeq(store);
  if (newest === 0) return false;
  if ((events.at(-1)?.seq ?? 0) < newest) return true;
  const same = events.find((event) => event.seq === newest);
  return same !== undefined && same.at !== store.kept.at(-1)?.event.at;
}

/** The store after the node started anew. */
export function afterRestart(store: EventStore): EventStore {
  return { run: store.run + 1, kept: store.kept, lostBelow: 1 };
}

/** The store with these ascending events of the present run; the same object where it has them all. */
export function withEvents(store: EventStore, events: readonly TreeEvent[]): EventStore {
  const newest = newestSeq(store);
  const newer = events.filter((event) => event.seq > newest);
  const known = new Set<number>();
  for (let at = store.kept.length - 1; at >= 0 && newer.length < events.length; at -= 1) {
    const kept = store.kept[at];
    if (!kept || kept.run !== store.run || kept.event.seq < (events[0]?.seq ?? 0)) break;
    known.add(kept.event.seq);
  }
  const older = events.filter((event) => event.seq <= newest && !known.has(event.seq));
  if (newer.length === 0 && older.length === 0) return store;
  const all = [...store.kept, ...[...older, ...newer].map((event) => ({ run: store.run, event }))];
  if (older.length > 0) all.sort((a, b) => a.run - b.run || a.event.seq - b.event.seq);
  return { ...store, kept: all.length > MAX_EVENTS ? all.slice(all.length - MAX_EVENTS) : all };
}

/** The newest missing numbers of the present run that the node may still have. */
export function openGap(store: EventStore): Gap | null {
  const room = MAX_EVENTS - store.kept.length;
  for (let at = store.kept.length - 1; at >= 0; at -= 1) {
    const [here, before] = [store.kept[at], store.kept[at - 1]];
    if (!here || here.run !== store.run) return null;
    const from = before?.run === store.run ? before.event.seq + 1 : store.lostBelow;
    const to = here.event.seq - 1;
    if (to >= Math.max(from, store.lostBelow)) {
      // Numbers before all kept ones are only worth asking for while there is room for them.
      return before?.run === store.run || room > 0
        ? { from: Math.max(from, store.lostBelow, to - MAX_EVENTS), to }
        : null;
    }
  }
  return null;
}

/** The store with the node's answer to the question for this gap, asked in this run. */
export function filled(store: EventStore, run: number, gap: Gap, answer: Events): EventStore {
  const newest = store.kept.at(-1);
  const same = answer.events.find((event) => event.seq === newest?.event.seq);
  const isOfAnother = same !== undefined && same.at !== newest?.event.at;
  if (run !== store.run || answer.newest_seq < newestSeq(store) || isOfAnother) return store;
  const wanted = answer.events.filter((event) => event.seq >= gap.from && event.seq <= gap.to);
  const first = wanted[0]?.seq ?? gap.to + 1;
  const next = withEvents(store, wanted);
  // What the answer begins after is not there any more; asking again would not help.
  return first > gap.from ? { ...next, lostBelow: Math.max(next.lostBelow, first) } : next;
}

/** What the log shows: events, gaps between them, starts of the node. */
export function linesOf(store: EventStore): Line[] {
  const lines: Line[] = [];
  let before: Kept | undefined;
  for (const kept of store.kept) {
    if (before && kept.run !== before.run) lines.push({ type: "restart", key: `run-${kept.run}` });
    const next =
      before?.run === kept.run ? before.event.seq + 1 : kept.run === store.run ? 1 : kept.event.seq;
    const missing = kept.event.seq - next;
    if (missing > 0 && (before || store.kept.length < MAX_EVENTS)) {
      const lost = kept.run !== store.run || kept.event.seq <= store.lostBelow;
      lines.push({ type: "gap", key: `gap-${kept.run}-${kept.event.seq}`, count: missing, lost });
    }
    lines.push({ type: "event", key: `${kept.run}-${kept.event.seq}`, event: kept.event });
    before = kept;
  }
  if (before && before.run !== store.run) lines.push({ type: "restart", key: `run-${store.run}` });
  return lines;
}

/** The lines that show one of the kinds and hold the text; starts of the node always stay. */
export function filterLines(lines: readonly Line[], text: string, kinds: ReadonlySet<string>): Line[] {
  const wanted = text.trim().toLowerCase();
  const all = wanted === "" && kinds.size === EVENT_KINDS.length;
  if (all) return [...lines];
  return lines.filter((line) => {
    if (line.type === "restart") return true;
    // Between filtered lines everything is a gap.
    if (line.type === "gap") return false;
    const { path, kind, detail } = line.event;
    return kinds.has(kind) && `${path} ${kind} ${detail ?? ""}`.toLowerCase().includes(wanted);
  });
}
