/** Rows outside the view that are kept in the document, on each side: a fast wheel finds them painted. */
export const OVERSCAN_ROWS = 10;

/** Rows in the document, and where the first one stands. */
export interface Slice {
  first: number;
  /** Not included. */
  end: number;
  offsetPx: number;
  totalPx: number;
}

/** Which rows of a list stand in the document. */
export function sliceOf(rows: number, rowPx: number, viewPx: number, scrollPx: number): Slice {
  const seen = Math.ceil(viewPx / rowPx);
  const top = Math.min(Math.max(0, Math.floor(scrollPx / rowPx)), Math.max(0, rows - seen));
  const first = Math.max(0, top - OVERSCAN_ROWS);
  const end = Math.min(rows, top + seen + OVERSCAN_ROWS);
  return { first, end, offsetPx: first * rowPx, totalPx: rows * rowPx };
}

/** Whether the view shows the end of the list; a row's height away counts, as browsers round. */
export function isAtEnd(rows: number, rowPx: number, viewPx: number, scrollPx: number): boolean {
  return scrollPx + viewPx >= rows * rowPx - rowPx;
}

/** Where to scroll so that a row stands where it stood, after rows came or went above it. */
export function keptScroll(index: number, rowPx: number, withinRowPx: number): number {
  return Math.max(0, index) * rowPx + withinRowPx;
}
