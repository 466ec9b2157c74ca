import type uPlot from "uplot";

/** Stands in for uPlot, which needs a canvas: keeps what it was given. */
export default class FakeUPlot {
  static readonly made: FakeUPlot[] = [];
  static readonly paths = { bars: () => () => null };
  readonly given: uPlot.AlignedData[] = [];
  readonly cursor: { idx: number | null; left: number } = { idx: null, left: -10 };
  destroyed = false;
  width = 0;

  constructor(
    readonly options: uPlot.Options,
    public data: uPlot.AlignedData,
    readonly holder: HTMLElement,
  ) {
    this.given.push(data);
    FakeUPlot.made.push(this);
  }

  setData(data: uPlot.AlignedData): void {
    this.data = data;
    this.given.push(data);
  }

  setSize({ width }: { width: number }): void {
    this.width = width;
  }

  posToVal(left: number): number {
    return left;
  }

  destroy(): void {
    this.destroyed = true;
  }

  /** Points at a place, as the mouse would: the nearest value is that of `idx`. */
  point(idx: number | null, left: number): void {
    this.cursor.idx = idx;
    this.cursor.left = left;
    for (const hook of this.options.hooks?.setCursor ?? []) hook?.(this as unknown as uPlot);
  }
}
