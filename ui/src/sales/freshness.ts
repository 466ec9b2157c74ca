import { pageNow, type ClockOffset } from "../lib/clock.ts";
import { timeOf } from "../lib/format.ts";
import type { Sales } from "../lib/wire.ts";

/** Samples count for this long. */
export const WINDOW_MS = 60_000;
/** More samples than frames can bring in that time are never kept. */
export const MOST_SAMPLES = 1_200;

/** Milliseconds from "order accepted" to "on screen", by the node's clock. */
export interface FreshnessSummary {
  readonly last: number | null;
  readonly median: number | null;
  readonly worst: number | null;
}

interface Sample {
  readonly at: number;
  readonly age: number;
}

const NOTHING: FreshnessSummary = { last: null, median: null, worst: null };

/** What the samples of the last minute say. */
export function summarize(samples: readonly Sample[]): FreshnessSummary {
  const ages = samples.map((sample) => sample.age).sort((one, other) => one - other);
  return {
    last: samples.at(-1)?.age ?? null,
    median: ages[Math.floor((ages.length - 1) / 2)] ?? null,
    worst: ages.at(-1) ?? null,
  };
}

/**
 * Measures how old the newest order is when it is on the screen. A frame counts only where its newest order is newer
 * than that of the frame before; the first frame counts for none, since its order may be hours old.
 */
export class Freshness {
  private samples: Sample[] = [];
  private newest: number | null = null;
  private summary = NOTHING;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly clock: ClockOffset) {}

  /** Calls `listener` after each change; the answer ends that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** What is known now. */
  readonly getSnapshot = (): FreshnessSummary => this.summary;

  /** A frame came: whether its newest order is one to measure. */
  brings(frame: Sales, receivedAt: number): boolean {
    this.forget(receivedAt);
    const accepted = timeOf(frame.accepted_at);
    if (accepted === null) return false;
    const before = this.newest;
    if (before !== null && accepted <= before) return false;
    this.newest = accepted;
    return before !== null;
  }

  /** A frame that was to be measured is on the screen. */
  painted(frame: Sales, paintedAt: number = pageNow()): void {
    const accepted = timeOf(frame.accepted_at);
    const now = this.clock.nodeTime(paintedAt);
    if (accepted === null || now === null) return;
    this.samples.push({ at: paintedAt, age: Math.max(0, now - accepted) });
    if (this.samples.length > MOST_SAMPLES) this.samples.shift();
    this.change();
  }

  private forget(now: number): void {
    const kept = this.samples.filter((sample) => sample.at > now - WINDOW_MS);
    if (kept.length === this.samples.length) return;
    this.samples = kept;
    this.change();
  }

  private change(): void {
    this.summary = summarize(this.samples);
    for (const listener of this.listeners) listener();
  }
}
