import type { FreshnessSummary } from "./freshness.ts";
import { Recent } from "./Recent.tsx";
import { SecondsChart } from "./SecondsChart.tsx";
import type { SalesSnapshot } from "./store.ts";
import { Tiles } from "./Tiles.tsx";
import "./sales.css";

/** CSS pixels. */
const CHART_HEIGHT = 180;

interface SalesGlanceProps {
  readonly sales: SalesSnapshot;
  readonly freshness: FreshnessSummary;
}

/** The sales in short, for the overview. */
export function SalesGlance({ sales, freshness }: SalesGlanceProps) {
  return (
    <div className="sales-glance">
      <Tiles frame={sales.frame} freshness={freshness} />
      <SecondsChart series={sales.series} frame={sales.frame} height={CHART_HEIGHT} />
      <Recent sales={sales} />
    </div>
  );
}
