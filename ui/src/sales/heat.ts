import type { NodeInfo, Sales } from "../lib/wire.ts";

/** Steps of the colour scale above "none". */
export const HEAT_LEVELS = 5;

/** One store and drink of this hour. */
export interface HeatCell {
  readonly store: string;
  readonly drink: string;
  readonly orders: number;
  readonly revenue: number;
  /** 0 for none, up to `HEAT_LEVELS`. */
  readonly level: number;
}

/** The cells of this hour as a table. */
export interface HeatMap {
  readonly drinks: readonly string[];
  readonly rows: readonly { readonly store: string; readonly cells: readonly HeatCell[] }[];
}

/** A drink's or a store's sum of this hour. */
export interface Total {
  readonly name: string;
  readonly orders: number;
  readonly revenue: number;
}

/** Every store and drink of the menu, and what was sold that is no longer in it. */
export function heatMap(cells: Sales["cells"], menu: NodeInfo["menu"] | null): HeatMap {
  const drinks = union(
    menu?.drinks,
    cells.map((cell) => cell.drink),
  );
  const stores = union(
    menu?.stores,
    cells.map((cell) => cell.store),
  );
  const most = Math.max(0, ...cells.map((cell) => cell.order_count));
  const sold = new Map(cells.map((cell) => [JSON.stringify([cell.store, cell.drink]), cell]));
  const rows = stores.map((store) => ({
    store,
    cells: drinks.map((drink) => {
      const cell = sold.get(JSON.stringify([store, drink]));
      const orders = cell?.order_count ?? 0;
      return { store, drink, orders, revenue: cell?.revenue ?? 0, level: heatLevel(orders, most) };
    }),
  }));
  return { drinks, rows };
}

/** The step of the scale; any sale is told from none. */
export function heatLevel(orders: number, most: number): number {
  if (orders <= 0 || most <= 0) return 0;
  return Math.max(1, Math.round((orders / most) * HEAT_LEVELS));
}

/** The drinks of this hour with their sums, in the order that the node ranks them. */
export function drinkTotals(cells: Sales["cells"], ranked: readonly string[]): Total[] {
  return ranked.map((name) => {
    const own = cells.filter((cell) => cell.drink === name);
    return {
      name,
      orders: own.reduce((sum, cell) => sum + cell.order_count, 0),
      revenue: own.reduce((sum, cell) => sum + cell.revenue, 0),
    };
  });
}

/** A place in the table's body. */
export interface Place {
  readonly row: number;
  readonly column: number;
}

/** Where a key leads to from a cell; null where the key is not for moving. */
export function moveBy(key: string, from: Place, rows: number, columns: number): Place | null {
  const { row, column } = from;
  const within = (value: number, size: number) => Math.min(Math.max(value, 0), Math.max(0, size - 1));
  switch (key) {
    case "ArrowUp":
      return { row: within(row - 1, rows), column };
    case "ArrowDown":
      return { row: within(row + 1, rows), column };
    case "ArrowLeft":
      return { row, column: within(column - 1, columns) };
    case "ArrowRight":
      return { row, column: within(column + 1, columns) };
    case "Home":
      return { row, column: 0 };
    case "End":
      return { row, column: within(columns - 1, columns) };
    default:
      return null;
  }
}

function union(first: readonly string[] | undefined, second: readonly string[]): string[] {
  return [...new Set([...(first ?? []), ...second])];
}
