import { describe, expect, it } from "vitest";
import {
  EVENT_KINDS,
  type EventStore,
  MAX_EVENTS,
  NO_EVENTS,
  afterRestart,
  contradicts,
  filled,
  filterLines,
  linesOf,
  newestSeq,
  openGap,
  withEvents,
} from "../model/events.ts";
import { event, events } from "./fixtures.ts";

const seqs = (store: EventStore) => store.kept.map((kept) => kept.event.seq);
const shape = (store: EventStore) =>
  linesOf(store).map((line) =>
    line.type === "event" ? line.event.seq : line.type === "gap" ? `gap ${line.count}` : "restart",
  );

describe("the event store", () => {
  it("takes what is new and keeps its identity where nothing is", () => {
    const first = withEvents(NO_EVENTS, events(1, 3));
    expect(withEvents(first, events(2, 3))).toBe(first);
    expect(seqs(withEvents(first, events(2, 5)))).toEqual([1, 2, 3, 4, 5]);
  });

  it("keeps the newest of ten thousand and more", () => {
    let store = NO_EVENTS;
    for (let from = 1; from < MAX_EVENTS + 500; from += 50)
      store = withEvents(store, events(from, from + 49));
    expect(store.kept).toHaveLength(MAX_EVENTS);
    expect(newestSeq(store)).toBe(MAX_EVENTS + 500);
    expect(openGap(store)).toBeNull();
    expect(linesOf(store)[0]?.type).toBe("event");
  });

  it("asks for what is missing, newest first, and puts it in its place", () => {
    let store = withEvents(withEvents(NO_EVENTS, events(5, 6)), events(10, 11));
    expect(shape(store)).toEqual(["gap 4", 5, 6, "gap 3", 10, 11]);
    const gap = openGap(store);
    expect(gap).toEqual({ from: 7, to: 9 });
    store = filled(store, 0, gap ?? { from: 0, to: 0 }, { events: events(7, 11), newest_seq: 11 });
    expect(openGap(store)).toEqual({ from: 1, to: 4 });
    store = filled(store, 0, { from: 1, to: 4 }, { events: events(1, 4), newest_seq: 11 });
    expect(shape(store)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(openGap(store)).toBeNull();
  });

  it("shows a gap where the node has lost events, and asks no more", () => {
    const store = withEvents(NO_EVENTS, events(10, 11));
    const after = filled(store, 0, { from: 1, to: 9 }, { events: events(8, 11), newest_seq: 11 });
    expect(shape(after)).toEqual(["gap 7", 8, 9, 10, 11]);
    expect(linesOf(after)[0]).toMatchObject({ type: "gap", lost: true });
    expect(openGap(after)).toBeNull();
  });

  it("goes on asking after an answer that has only a part", () => {
    const store = withEvents(NO_EVENTS, events(3_000, 3_001));
    const after = filled(store, 0, { from: 1, to: 2_999 }, { events: events(1, 1_000), newest_seq: 3_001 });
    expect(openGap(after)).toEqual({ from: 1_001, to: 2_999 });
  });

  it("does not take answers of another run", () => {
    const store = withEvents(NO_EVENTS, events(5, 6));
    const gap = { from: 1, to: 4 };
    expect(filled(store, 1, gap, { events: events(1, 6), newest_seq: 6 })).toBe(store);
    expect(filled(store, 0, gap, { events: events(1, 3), newest_seq: 3 })).toBe(store);
    const other = [...events(1, 5), event(6, 99_999)];
    expect(filled(store, 0, gap, { events: other, newest_seq: 6 })).toBe(store);
  });

  it("notices events that cannot be of the same start of the node", () => {
    const store = withEvents(NO_EVENTS, events(1, 10));
    expect(contradicts(store, events(5, 10))).toBe(false);
    expect(contradicts(store, events(11, 12))).toBe(false);
    expect(contradicts(store, events(1, 3))).toBe(true);
    expect(contradicts(store, [event(10, 77_777), event(11)])).toBe(true);
    expect(contradicts(NO_EVENTS, [])).toBe(false);
  });

  it("marks a start of the node with a line and numbers anew", () => {
    const store = withEvents(afterRestart(withEvents(NO_EVENTS, events(1, 2))), events(1, 2));
    expect(shape(store)).toEqual([1, 2, "restart", 1, 2]);
    expect(new Set(linesOf(store).map((line) => line.key)).size).toBe(5);
    expect(shape(afterRestart(withEvents(NO_EVENTS, events(1, 1))))).toEqual([1, "restart"]);
  });
});

describe("the filter", () => {
  const store = withEvents(NO_EVENTS, [
    event(1, 1, { path: "v1/batcher-0", kind: "fault", detail: "kill" }),
    event(2, 2, { path: "v1/batcher-0", kind: "failed", detail: "Killed by hand" }),
    event(3, 3, { path: "http" }),
  ]);
  const lines = linesOf(withEvents(afterRestart(store), events(1, 1)));
  const found = (text: string, kinds: readonly string[]) =>
    filterLines(lines, text, new Set(kinds)).map((line) => line.key);

  it("finds text in path, kind and detail whatever its case", () => {
    expect(found("BATCHER", EVENT_KINDS)).toEqual(["0-1", "0-2", "run-1"]);
    expect(found("by hand", EVENT_KINDS)).toEqual(["0-2", "run-1"]);
    expect(found("  ", EVENT_KINDS)).toHaveLength(5);
  });

  it("takes kinds, and keeps the starts of the node", () => {
    expect(found("", ["failed"])).toEqual(["0-2", "run-1"]);
    expect(found("", [])).toEqual(["run-1"]);
  });
});
