import { getHistory, type Answer } from "../lib/api.ts";
import { ClockOffset } from "../lib/clock.ts";
import type { Feed } from "../lib/feed.ts";
import { timeOf } from "../lib/format.ts";
import type { History, Sales } from "../lib/wire.ts";
import { type Arrivals, withRecent } from "./arrivals.ts";
import { Freshness } from "./freshness.ts";
import { type Series, withFrame, withHistory } from "./series.ts";

/** The history is read again this often. */
export const HISTORY_EVERY_MS = 30_000;
/** After a failure it is read again sooner. */
export const HISTORY_RETRY_MS = 3_000;

/** What the sales view shows; a new object at each change. */
export interface SalesSnapshot {
  readonly frame: Sales | null;
  readonly receivedAt: number;
  readonly series: Series;
  readonly minutes: History["minutes"] | null;
  readonly arrivals: Arrivals | null;
  /** Whether the frame brought an order newer than the one before: its freshness is measured where it is shown. */
  readonly measured: boolean;
}

/** Puts the frames and the history of the sales together, for as long as the page lives. */
export class SalesStore {
  readonly freshness: Freshness;
  private readonly clock = new ClockOffset();
  private snapshot: SalesSnapshot = {
    frame: null,
    receivedAt: 0,
    series: new Map(),
    minutes: null,
    arrivals: null,
    measured: false,
  };
  private readonly listeners = new Set<() => void>();
  private connections = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private reading = 0;

  constructor(
    private readonly feed: Feed<Sales>,
    private readonly read: () => Promise<Answer<History>> = getHistory,
  ) {
    this.freshness = new Freshness(this.clock);
  }

  /** Calls `listener` after each change; the answer ends that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** What is known now. */
  readonly getSnapshot = (): SalesSnapshot => this.snapshot;

  /** Begins to listen; the answer ends that. */
  start(): () => void {
    const end = this.feed.subscribe(() => this.heard());
    this.heard();
    return () => {
      end();
      clearTimeout(this.timer);
      this.reading += 1;
    };
  }

  private heard(): void {
    const { frame, receivedAt, connections } = this.feed.getSnapshot();
    if (connections !== this.connections) {
      this.connections = connections;
      void this.readHistory();
    }
    if (!frame || receivedAt === null || frame === this.snapshot.frame) return;
    const sent = timeOf(frame.server_timestamp);
    if (sent !== null) this.clock.observe(sent, receivedAt);
    this.change({
      frame,
      receivedAt,
      series: withFrame(this.snapshot.series, frame.seconds),
      arrivals: withRecent(this.snapshot.arrivals, frame.recent_orders, receivedAt),
      measured: this.freshness.brings(frame, receivedAt),
    });
  }

  private async readHistory(): Promise<void> {
    clearTimeout(this.timer);
    this.reading += 1;
    const reading = this.reading;
    const answer = await this.read();
    // Another reading began, or the store was ended.
    if (reading !== this.reading) return;
    this.timer = setTimeout(() => void this.readHistory(), answer.ok ? HISTORY_EVERY_MS : HISTORY_RETRY_MS);
    if (!answer.ok) return;
    const series = withHistory(this.snapshot.series, answer.value.seconds);
    this.change({ series, minutes: answer.value.minutes });
  }

  private change(part: Partial<SalesSnapshot>): void {
    this.snapshot = { ...this.snapshot, ...part };
    for (const listener of this.listeners) listener();
  }
}
