import { memo } from "react";
import { UNKNOWN, clockTime, count, timeOf } from "../lib/format.ts";
import type { Line } from "./model/events.ts";

/** One line of the log. Lines never change, so that a scrolled one is not drawn again. */
export const EventLine = memo(
  function EventLine({ line }: { line: Line }) {
    if (line.type === "restart") {
      return <p className="node-line node-line-restart">The node started anew: numbers begin at 1 again</p>;
    }
    if (line.type === "gap") {
      const events = line.count === 1 ? "1 event" : `${count(line.count)} events`;
      return (
        <p className="node-line node-line-gap">
          {line.lost ? `${events} the node does not keep any more` : `${events} being fetched …`}
        </p>
      );
    }
    const { seq, at, path, kind, generation, detail } = line.event;
    return (
      <p className={`node-line node-line-${kind}`} data-testid={`event-${seq}`}>
        <span className="node-line-seq">{seq}</span>
        <time className="node-line-time" dateTime={at}>
          {preciseTime(at)}
        </time>
        <span className={`node-line-kind node-kind-${kind}`}>{kind.replace("_", " ")}</span>
        <span className="node-line-path">{path}</span>
        <span className="node-line-generation">gen {generation}</span>
        <span className="node-line-detail" title={detail ?? undefined}>
          {detail ?? ""}
        </span>
      </p>
    );
  },
  (a, b) =>
    a.line.type === b.line.type &&
    a.line.key === b.line.key &&
    (a.line.type !== "gap" ||
      (b.line.type === "gap" && a.line.count === b.line.count && a.line.lost === b.line.lost)),
);

/** A time of the viewer's day with milliseconds: a restart takes a few. */
function preciseTime(iso: string): string {
  const at = timeOf(iso);
  return at === null ? UNKNOWN : `${clockTime(at)}.${String(Math.floor(at) % 1_000).padStart(3, "0")}`;
}
