import { memo, useDeferredValue, useLayoutEffect, useMemo, useRef, useState } from "react";
import { count } from "../lib/format.ts";
import { EventLine } from "./EventLine.tsx";
import { EVENT_KINDS, type EventStore, type Line, filterLines, linesOf } from "./model/events.ts";
import { eventsAsCsv, eventsAsJson, eventsIn, exportName } from "./model/exports.ts";
import { isAtEnd, keptScroll, sliceOf } from "./model/window.ts";
import { download } from "./download.ts";
import { useNarrow } from "./useNarrow.ts";

/** The heights of a row: one line, or two where the page is narrow. node.css says the same. */
const ROW_PX = { wide: 26, narrow: 46 };
/** The height of the list. */
const VIEW_PX = 416;

/** The tree's events, newest at the bottom. */
export const EventLog = memo(function EventLog({ store }: { store: EventStore }) {
  const [text, setText] = useState("");
  const [kinds, setKinds] = useState<ReadonlySet<string>>(() => new Set(EVENT_KINDS));
  const sought = useDeferredValue(text);
  const all = useMemo(() => linesOf(store), [store]);
  const lines = useMemo(() => filterLines(all, sought, kinds), [all, sought, kinds]);

  const save = (extension: "json" | "csv") => {
    const events = eventsIn(lines);
    const isJson = extension === "json";
    download(
      exportName(new Date(), extension),
      isJson ? eventsAsJson(events) : eventsAsCsv(events),
      isJson ? "application/json" : "text/csv",
    );
  };
  const toggle = (kind: string) =>
    setKinds((before) => {
      const next = new Set(before);
      if (!next.delete(kind)) next.add(kind);
      return next;
    });

  return (
    <section className="card node-panel node-events" aria-labelledby="node-events-title">
      <header className="node-head">
        <h2 id="node-events-title">Events</h2>
        <p className="node-note">
          {lines.length === all.length
            ? count(store.kept.length)
            : `${count(eventsIn(lines).length)} of ${count(store.kept.length)}`}
        </p>
        <div className="node-log-tools">
          <input
            type="search"
            className="node-filter"
            data-testid="event-filter"
            aria-label="Filter events by text"
            placeholder="Filter: path, kind, detail"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
          <div className="node-kinds" role="group" aria-label="Kinds of events">
            {EVENT_KINDS.map((kind) => (
              <button
                key={kind}
                type="button"
                className={`node-chip node-kind-${kind}`}
                aria-pressed={kinds.has(kind)}
                onClick={() => toggle(kind)}
              >
                {kind.replace("_", " ")}
              </button>
            ))}
          </div>
          <button
            type="button"
            className="node-button"
            data-testid="event-export-json"
            onClick={() => save("json")}
          >
            JSON
          </button>
          <button
            type="button"
            className="node-button"
            data-testid="event-export-csv"
            onClick={() => save("csv")}
          >
            CSV
          </button>
        </div>
      </header>
      <LogList lines={lines} />
    </section>
  );
});

function LogList({ lines }: { lines: readonly Line[] }) {
  const rowPx = useNarrow() ? ROW_PX.narrow : ROW_PX.wide;
  const list = useRef<HTMLDivElement>(null);
  const [scrollPx, setScrollPx] = useState(0);
  const [follows, setFollows] = useState(true);
  /** The line at the top of the view and how far it is scrolled out, to find it again when lines come before it. */
  const anchor = useRef({ key: "", within: 0 });

  useLayoutEffect(() => {
    const view = list.current;
    if (!view) return;
    if (follows) {
      view.scrollTop = lines.length * rowPx;
      setScrollPx(Math.max(0, lines.length * rowPx - VIEW_PX));
      return;
    }
    const index = lines.findIndex((line) => line.key === anchor.current.key);
    if (index < 0) return;
    const wanted = keptScroll(index, rowPx, anchor.current.within);
    if (Math.abs(wanted - view.scrollTop) > 1) view.scrollTop = wanted;
  }, [lines, follows, rowPx]);

  const onScroll = (top: number) => {
    const index = Math.floor(top / rowPx);
    anchor.current = { key: lines[index]?.key ?? "", within: top - index * rowPx };
    setScrollPx(top);
    setFollows(isAtEnd(lines.length, rowPx, VIEW_PX, top));
  };

  const slice = sliceOf(lines.length, rowPx, VIEW_PX, scrollPx);
  return (
    <div className="node-log-frame">
      <div
        ref={list}
        className="node-log"
        data-testid="event-log"
        data-follows={follows}
        role="log"
        aria-live="off"
        aria-label="Events of the tree"
        tabIndex={0}
        style={{ height: VIEW_PX }}
        onScroll={(event) => onScroll(event.currentTarget.scrollTop)}
      >
        {lines.length === 0 && <p className="node-empty">No events to show.</p>}
        <div style={{ height: slice.totalPx }}>
          <div style={{ transform: `translateY(${slice.offsetPx}px)` }}>
            {lines.slice(slice.first, slice.end).map((line) => (
              <EventLine key={line.key} line={line} />
            ))}
          </div>
        </div>
      </div>
      {!follows && (
        <button type="button" className="node-button node-jump" onClick={() => setFollows(true)}>
          Jump to newest
        </button>
      )}
    </div>
  );
}
