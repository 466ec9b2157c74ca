import { type KeyboardEvent, memo, useRef, useState } from "react";
import { count, money } from "../lib/format.ts";
import type { NodeInfo, Sales } from "../lib/wire.ts";
import { type HeatCell, type HeatMap as Heat, heatMap, moveBy, type Place } from "./heat.ts";

interface HeatMapProps {
  readonly cells: Sales["cells"] | null;
  readonly menu: NodeInfo["menu"] | null;
}

/** Store × drink of this hour: one stop for the tab key, arrows move in it, and what is pointed at is read out. */
export const HeatMap = memo(function HeatMap({ cells, menu }: HeatMapProps) {
  const [place, setPlace] = useState<Place>({ row: 0, column: 0 });
  const [shown, setShown] = useState<Place | null>(null);
  const heat = cells && heatMap(cells, menu);
  const cell = shown && heat?.rows[shown.row]?.cells[shown.column];
  return (
    <section className="card heat" aria-labelledby="heat-title">
      <div className="card-head">
        <h2 id="heat-title">Store by drink, this hour</h2>
        <p className="card-note num">{cell ? inWords(cell) : "orders; point at one for its revenue"}</p>
      </div>
      {heat && heat.rows.length > 0 ? (
        <Grid heat={heat} place={place} onPlace={setPlace} onShow={setShown} />
      ) : (
        <p className="empty">{heat ? "Nothing was sold this hour." : "Unknown until the node answers."}</p>
      )}
    </section>
  );
});

interface GridProps {
  readonly heat: Heat;
  readonly place: Place;
  readonly onPlace: (place: Place) => void;
  readonly onShow: (place: Place | null) => void;
}

function Grid({ heat, place, onPlace, onShow }: GridProps) {
  const table = useRef<HTMLTableElement>(null);
  // The menu may have shrunk since the place was taken.
  const row = Math.min(place.row, heat.rows.length - 1);
  const column = Math.min(place.column, heat.drinks.length - 1);
  const move = (event: KeyboardEvent) => {
    const next = moveBy(event.key, { row, column }, heat.rows.length, heat.drinks.length);
    if (!next) return;
    event.preventDefault();
    table.current?.tBodies[0]?.rows[next.row]?.querySelectorAll("td")[next.column]?.focus();
  };
  return (
    <div className="table-scroll">
      <table
        className="heat-table"
        role="grid"
        data-testid="heat-map"
        aria-labelledby="heat-title"
        ref={table}
        onKeyDown={move}
      >
        <thead>
          <tr>
            <th scope="col">Store</th>
            {heat.drinks.map((drink) => (
              <th key={drink} scope="col">
                {drink}
              </th>
            ))}
          </tr>
        </thead>
        <tbody onMouseLeave={() => onShow(null)} onBlur={() => onShow(null)}>
          {heat.rows.map(({ store, cells }, rowIndex) => (
            <tr key={store}>
              <th scope="row">{store}</th>
              {cells.map((cell, columnIndex) => {
                const own = { row: rowIndex, column: columnIndex };
                return (
                  <td
                    key={cell.drink}
                    role="gridcell"
                    className={`num heat-cell heat-${cell.level}`}
                    data-testid={`heat-${cell.store}-${cell.drink}`}
                    tabIndex={rowIndex === row && columnIndex === column ? 0 : -1}
                    title={inWords(cell)}
                    onMouseEnter={() => onShow(own)}
                    onFocus={() => {
                      onPlace(own);
                      onShow(own);
                    }}
                  >
                    {count(cell.orders)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function inWords({ store, drink, orders, revenue }: HeatCell): string {
  return `${store}, ${drink}: ${count(orders)} order${orders === 1 ? "" : "s"}, ${money(revenue)}`;
}
