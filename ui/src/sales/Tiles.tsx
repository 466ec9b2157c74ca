import type { ReactNode } from "react";
import { clockMinute, count, millis, money, rate } from "../lib/format.ts";
import type { Sales } from "../lib/wire.ts";
import type { FreshnessSummary } from "./freshness.ts";
import { NOW_SECONDS, rateNow } from "./series.ts";

interface TileProps {
  readonly label: string;
  readonly value: string;
  readonly note: ReactNode;
  readonly testId: string;
}

function Tile({ label, value, note, testId }: TileProps) {
  return (
    <div className="card tile">
      <dt className="tile-label">{label}</dt>
      <dd className="tile-value num" data-testid={testId}>
        {value}
      </dd>
      <dd className="tile-note num">{note}</dd>
    </div>
  );
}

interface TilesProps {
  readonly frame: Sales | null;
  readonly freshness: FreshnessSummary;
}

/** The figures that are looked at first. An hour without orders has 0 of them; before the first frame all is unknown. */
export function Tiles({ frame, freshness }: TilesProps) {
  const hour = frame === null ? null : (frame.current_hour ?? { revenue: 0, order_count: 0 });
  const since = frame === null ? "this UTC hour" : `since ${startOfHour(frame.server_timestamp)}`;
  return (
    <dl className="tiles">
      <Tile label="Revenue this hour" value={money(hour?.revenue)} note={since} testId="hour-revenue" />
      <Tile
        label="Orders this hour"
        value={count(hour?.order_count)}
        note={mean(hour)}
        testId="hour-orders"
      />
      <Tile
        label="Orders a second"
        value={rate(frame && rateNow(frame.seconds))}
        note={`mean of ${NOW_SECONDS} seconds`}
        testId="rate-now"
      />
      <Tile
        label="Stored in all"
        value={count(frame?.stored_total)}
        note="orders, each once"
        testId="stored-total"
      />
      <Tile
        label="Accepted to on screen"
        value={millis(freshness.last)}
        note={`median ${millis(freshness.median)}, worst ${millis(freshness.worst)}`}
        testId="freshness"
      />
    </dl>
  );
}

function mean(hour: { revenue: number; order_count: number } | null): string {
  const each = hour && hour.order_count > 0 ? hour.revenue / hour.order_count : null;
  return `mean price ${money(each)}`;
}

/** Hours are the node's, in UTC; the viewer reads when this one began. */
function startOfHour(iso: string): string {
  const hourMs = 3_600_000;
  return clockMinute(Math.floor(Date.parse(iso) / hourMs) * hourMs);
}
