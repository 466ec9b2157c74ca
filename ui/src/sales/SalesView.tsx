import { useMemo } from "react";
import { TimeChart } from "../lib/charts.tsx";
import { count, timeZone } from "../lib/format.ts";
import type { History, NodeInfo, Sales } from "../lib/wire.ts";
import type { FreshnessSummary } from "./freshness.ts";
import { HeatMap } from "./HeatMap.tsx";
import { hoursOfDay } from "./hours.ts";
import { Recent } from "./Recent.tsx";
import { SecondsChart } from "./SecondsChart.tsx";
import { minuteRows } from "./series.ts";
import type { SalesSnapshot } from "./store.ts";
import { Tiles } from "./Tiles.tsx";
import { Top } from "./Top.tsx";
import "./sales.css";

/** CSS pixels. */
const SECONDS_HEIGHT = 240;
const BARS_HEIGHT = 180;
const NO_ROWS = { at: [], values: [] };

interface SalesViewProps {
  readonly sales: SalesSnapshot;
  readonly freshness: FreshnessSummary;
  readonly menu: NodeInfo["menu"] | null;
}

/** The shop manager's view. */
export function SalesView({ sales, freshness, menu }: SalesViewProps) {
  const { frame, series, minutes } = sales;
  return (
    <>
      <h1 className="sr-only">Sales</h1>
      <Tiles frame={frame} freshness={freshness} />
      <div className="sales-grid">
        <div className="sales-wide">
          <SecondsChart series={series} frame={frame} height={SECONDS_HEIGHT} />
        </div>
        <Top frame={frame} />
        <div className="sales-wide">
          <HeatMap cells={frame?.cells ?? null} menu={menu} />
        </div>
        <Recent sales={sales} />
      </div>
      <div className="sales-halves">
        <Minutes minutes={minutes} />
        <Hours frame={frame} />
      </div>
    </>
  );
}

function Minutes({ minutes }: { readonly minutes: History["minutes"] | null }) {
  const rows = useMemo(() => (minutes ? minuteRows(minutes) : NO_ROWS), [minutes]);
  const sum = minutes?.orders.reduce((total, orders) => total + orders, 0);
  return (
    <TimeChart
      title="Orders by minute, past hour"
      kind="bars"
      step="minute"
      rows={rows}
      height={BARS_HEIGHT}
      note={`${count(sum)} in all`}
      testId="chart-minutes"
    />
  );
}

function Hours({ frame }: { readonly frame: Sales | null }) {
  const rows = frame ? hoursOfDay(frame.hours, Date.parse(frame.server_timestamp)) : NO_ROWS;
  return (
    <TimeChart
      title="Orders by hour, today"
      kind="bars"
      step="hour"
      rows={rows}
      height={BARS_HEIGHT}
      note={`your time, ${timeZone()}`}
      testId="chart-hours"
    />
  );
}
