/** How long a smallest difference counts: clocks drift, so an old minimum is forgotten. */
const WINDOW_MS = 10 * 60_000;
/** The window is kept as one minimum for each of these parts. */
const PART_MS = 60_000;

/** The page's time in unix milliseconds: it never jumps back, and is finer than a millisecond. */
export function pageNow(): number {
  return performance.timeOrigin + performance.now();
}

interface Part {
  readonly index: number;
  smallest: number;
}

/**
 * The difference between the page's clock and the node's: the smallest seen of receive time − server time. The frame
 * that travelled fastest tells it best; what remains in it is that frame's way, so ages come out too small by as much.
 */
export class ClockOffset {
  private parts: Part[] = [];

  /** Takes in a frame that was sent at `serverMs` by the node's clock. */
  observe(serverMs: number, receivedMs: number): void {
    const index = Math.floor(receivedMs / PART_MS);
    const difference = receivedMs - serverMs;
    const last = this.parts.at(-1);
    if (last?.index === index) {
      last.smallest = Math.min(last.smallest, difference);
      return;
    }
    const oldest = index - WINDOW_MS / PART_MS;
    this.parts = this.parts.filter((part) => part.index > oldest && part.index < index);
    this.parts.push({ index, smallest: difference });
  }

  /** Milliseconds that the page's clock is ahead; null before the first frame. */
  get milliseconds(): number | null {
    if (this.parts.length === 0) return null;
    return Math.min(...this.parts.map((part) => part.smallest));
  }

  /** A time of the page by the node's clock; null before the first frame. */
  nodeTime(pageMs: number): number | null {
    const offset = this.milliseconds;
    return offset === null ? null : pageMs - offset;
  }
}
