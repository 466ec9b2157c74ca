import { Recent } from "./Recent.tsx";
import { SecondsChart } from "./SecondsChart.tsx";
import type { SalesSnapshot } from "./store.ts";
import "./sales.css";

/** CSS pixels. */
const CHART_HEIGHT = 180;

/** The sales in short, for the overview. */
export function SalesGlance({ sales }: { readonly sales: SalesSnapshot }) {
  return (
    <div className="sales-glance">
      <SecondsChart series={sales.series} frame={sales.frame} height={CHART_HEIGHT} />
      <Recent sales={sales} />
    </div>
  );
}
