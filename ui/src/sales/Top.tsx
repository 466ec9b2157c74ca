import { count, money, UNKNOWN } from "../lib/format.ts";
import type { Sales } from "../lib/wire.ts";
import { drinkTotals } from "./heat.ts";

/** Places that are kept for drinks, so that nothing moves when one comes. */
const PLACES = 5;

/** The drinks that sell best, now and over 30 days. */
export function Top({ frame }: { readonly frame: Sales | null }) {
  const totals = frame ? drinkTotals(frame.cells, frame.current_hour?.top_drinks ?? []) : [];
  const most = Math.max(1, ...totals.map((total) => total.orders));
  return (
    <section className="card top" aria-labelledby="top-title">
      <div className="card-head">
        <h2 id="top-title">Top drinks</h2>
      </div>
      <h3>This hour</h3>
      <ol className="top-list" data-testid="top-hour">
        {totals.slice(0, PLACES).map((total) => (
          <li key={total.name}>
            <span className="top-name">{total.name}</span>
            <span className="num">{count(total.orders)}</span>
            <span className="num top-revenue">{money(total.revenue)}</span>
            <meter className="top-bar" min={0} max={most} value={total.orders} aria-label={total.name} />
          </li>
        ))}
      </ol>
      {totals.length === 0 && <p className="empty">{frame ? "Nothing yet." : UNKNOWN}</p>}
      <h3>Last 30 days</h3>
      <ol className="top-names" data-testid="top-month">
        {(frame?.top5_drinks ?? []).map((drink) => (
          <li key={drink}>{drink}</li>
        ))}
      </ol>
      {(frame?.top5_drinks.length ?? 0) === 0 && <p className="empty">{frame ? "Nothing yet." : UNKNOWN}</p>}
    </section>
  );
}
