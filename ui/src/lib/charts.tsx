import { memo, useEffect, useId, useRef, useState, useSyncExternalStore, type ReactNode } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import "./charts.css";
import { axisTop, describe, type Rows, sameRows, type Step, STEP_SECONDS, stepLabel } from "./chart-data.ts";
import { count } from "./format.ts";
import { theme } from "./theme.ts";

/** What a chart is made of. */
export interface TimeChartProps {
  readonly title: string;
  readonly kind: "line" | "bars";
  readonly step: Step;
  readonly rows: Rows;
  /** CSS pixels. */
  readonly height: number;
  /** Beside the title while nothing is pointed at. */
  readonly note?: ReactNode;
  readonly testId: string;
}

/** Orders over time as a line or bars: reads out what is pointed at, and can be opened as a table. */
export const TimeChart = memo(function TimeChart(props: TimeChartProps) {
  const { title, kind, step, rows, height, note, testId } = props;
  const [pointed, setPointed] = useState<number | null>(null);
  const [open, setOpen] = useState(false);
  const heading = useId();
  const value = pointed === null ? undefined : rows.values[pointed];
  const at = pointed === null ? undefined : rows.at[pointed];
  return (
    <figure className="card chart" data-testid={testId} aria-labelledby={heading}>
      <figcaption className="chart-head">
        <h2 id={heading}>{title}</h2>
        <span className="chart-note num">
          {at === undefined ? note : `${stepLabel(at, step)}: ${value === null ? "unknown" : count(value)}`}
        </span>
      </figcaption>
      <div role="img" aria-label={`${title}. ${describe(rows, step)}`}>
        <Plot kind={kind} step={step} rows={rows} height={height} onPoint={setPointed} />
      </div>
      <details className="chart-values" onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>As a table</summary>
        {open && <Values title={title} rows={rows} step={step} />}
      </details>
    </figure>
  );
});

function Values({ title, rows, step }: Pick<TimeChartProps, "title" | "rows" | "step">) {
  return (
    <div className="chart-table" tabIndex={0} role="region" aria-label={`${title}, values`}>
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">Orders</th>
          </tr>
        </thead>
        <tbody>
          {rows.at.map((at, index) => (
            <tr key={at}>
              <th scope="row">{stepLabel(at, step)}</th>
              <td>{count(rows.values[index])}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface PlotProps extends Pick<TimeChartProps, "kind" | "step" | "rows" | "height"> {
  readonly onPoint: (index: number | null) => void;
}

function Plot({ kind, step, rows, height, onPoint }: PlotProps) {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(rows);
  const colours = useSyncExternalStore(theme.subscribe, theme.getSnapshot);

  useEffect(() => {
    const element = holder.current;
    if (!element) return undefined;
    const made = new uPlot(options(kind, step, element, height, onPoint), dataOf(latest.current), element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
    // A canvas takes its colours when it is made, so another theme makes another.
  }, [kind, step, height, onPoint, colours]);

  useEffect(() => {
    if (sameRows(latest.current, rows)) return;
    latest.current = rows;
    plot.current?.setData(dataOf(rows));
  }, [rows]);

  // The holder has its height before the plot is in it, so nothing moves.
  return <div ref={holder} className="chart-plot" style={{ height }} />;
}

function dataOf(rows: Rows): uPlot.AlignedData {
  return [[...rows.at], [...rows.values]];
}

function options(
  kind: "line" | "bars",
  step: Step,
  element: HTMLElement,
  height: number,
  onPoint: (index: number | null) => void,
): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (token: string) => style.getPropertyValue(token).trim();
  const font = `11px ${colour("--font")}`;
  const axis = { stroke: colour("--text-muted"), font, ticks: { show: false } };
  const bars = kind === "bars";
  return {
    width: element.clientWidth,
    height,
    // Half a label fits beside the last value.
    padding: [8, 24, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: false, y: false, setScale: false },
      points: { show: !bars, size: 7, fill: colour("--accent") },
    },
    scales: {
      x: { time: true, range: (_, from, to) => [from, bars ? to + STEP_SECONDS[step] : to] },
      y: { range: (_, _least, most) => [0, axisTop(most)] },
    },
    axes: [
      { ...axis, grid: { show: false }, space: 64, size: 28, values: timeLabels },
      { ...axis, grid: { stroke: colour("--border"), width: 1 }, space: 32, size: 44, values: wholeLabels },
    ],
    series: [
      {},
      {
        stroke: colour("--accent"),
        fill: bars ? colour("--accent") : colour("--accent-soft"),
        width: bars ? 0 : 1.5,
        spanGaps: false,
        points: { show: false },
        ...(bars ? { paths: barPaths() } : {}),
      },
    ],
    hooks: { setCursor: [(self) => onPoint(pointedAt(self, bars))] },
  };
}

/** A point of a line is the nearest one; a bar is the one whose step the pointer is in. */
function pointedAt(self: uPlot, bars: boolean): number | null {
  const { idx, left } = self.cursor;
  if (idx === null || idx === undefined || left === undefined || left < 0) return null;
  const start = self.data[0][idx];
  const before = bars && start !== undefined && self.posToVal(left, "x") < start;
  return before ? Math.max(0, idx - 1) : idx;
}

function barPaths(): uPlot.Series.PathBuilder {
  // The full build of uPlot has it; its types allow for smaller ones.
  const paths = uPlot.paths.bars?.({ size: [0.76, 40], align: 1, radius: 0.12 });
  if (!paths) throw new Error("uPlot was built without bars");
  return paths;
}

function timeLabels(_: uPlot, at: number[], _axis: number, _space: number, increment: number): string[] {
  return at.map((second) => stepLabel(second, increment < 60 ? "second" : "minute"));
}

function wholeLabels(_: uPlot, values: number[]): string[] {
  return values.map((value) => (Number.isInteger(value) ? count(value) : ""));
}
