import { useMemo } from "react";
import { TimeChart } from "../lib/charts.tsx";
import { rate } from "../lib/format.ts";
import type { Sales } from "../lib/wire.ts";
import { rateNow, rowsOf, type Series } from "./series.ts";

interface SecondsProps {
  readonly series: Series;
  readonly frame: Sales | null;
  readonly height: number;
}

/** Orders per second over the last five minutes. */
export function SecondsChart({ series, frame, height }: SecondsProps) {
  const rows = useMemo(() => rowsOf(series), [series]);
  return (
    <TimeChart
      title="Orders a second, last 5 minutes"
      kind="line"
      step="second"
      rows={rows}
      height={height}
      note={`now ${rate(frame && rateNow(frame.seconds))}`}
      testId="chart-seconds"
    />
  );
}
