import { timeOf } from "../../lib/format.ts";
import type { Flow, Picture, Work } from "../../lib/wire.ts";
import { isStoredByJob } from "./job.ts";

/** Rates are means over about this long: short enough to follow a fault, long enough to be read. */
export const RATE_WINDOW_MS = 1_000;
/** A rate over less than this says little. */
const MIN_SPAN_MS = 200;
/** Pictures closer together than this are not all kept. */
const SAMPLE_SPACING_MS = 100;
/** Older samples say nothing of now. */
const MAX_SPAN_MS = 5_000;

/** The sums of one picture. */
export interface Sample {
  at: number;
  flows: Readonly<Record<string, Flow>>;
  frames: number;
}

/** What one version did a second lately; null is unknown. */
export interface FlowRates {
  accepted: number | null;
  refused: number | null;
  appended: number | null;
  read: number | null;
  stored: number | null;
  /** Orders in one transaction. */
  batchOrders: number | null;
  /** How long one transaction took. */
  commitMs: number | null;
  /** How long one append took. */
  appendMs: number | null;
}

/** What the node did a second lately. */
export interface Rates {
  versions: Readonly<Record<string, FlowRates>>;
  frames: number | null;
}

const UNKNOWN_FLOW: FlowRates = {
  accepted: null,
  refused: null,
  appended: null,
  read: null,
  stored: null,
  batchOrders: null,
  commitMs: null,
  appendMs: null,
};

/** The sums of a picture; null where its time cannot be read. */
export function sampleOf(picture: Picture): Sample | null {
  const at = timeOf(picture.server_timestamp);
  return at === null ? null : { at, flows: picture.flows, frames: picture.frames_total };
}

/** Whether sums went down, which they only do when a node starts anew. */
export function isReset(before: Picture, after: Picture): boolean {
  if (after.frames_total < before.frames_total) return true;
  return Object.entries(before.flows).some(([version, flow]) => {
    const now = after.flows[version];
    return now !== undefined && now.accepted_total < flow.accepted_total;
  });
}

/** The samples with one more: spaced, and none older than needed to look back over the window. */
export function withSample(samples: readonly Sample[], next: Sample): readonly Sample[] {
  const last = samples.at(-1);
  if (last && (next.at < last.at || next.frames < last.frames)) return [next];
  const before = samples.at(-2);
  // The newest one is replaced while it is close to the one before it: spacing without losing the present.
  const kept = last && before && last.at - before.at < SAMPLE_SPACING_MS ? samples.slice(0, -1) : samples;
  const edge = next.at - RATE_WINDOW_MS;
  const first = kept.findLastIndex((sample) => sample.at <= edge);
  return [...kept.slice(Math.max(0, first)), next];
}

/** The rates over the samples' span. */
export function ratesOf(samples: readonly Sample[]): Rates {
  const [first, last] = [samples[0], samples.at(-1)];
  const span = first && last ? last.at - first.at : 0;
  if (!first || !last || span < MIN_SPAN_MS || span > MAX_SPAN_MS) {
    return { versions: {}, frames: null };
  }
  const versions: Record<string, FlowRates> = {};
  for (const [version, now] of Object.entries(last.flows)) {
    const before = first.flows[version];
    versions[version] = before ? flowRates(before, now, span / 1_000) : UNKNOWN_FLOW;
  }
  return { versions, frames: perSecond(first.frames, last.frames, span / 1_000) };
}

/** The rates of a version; all unknown where nothing is known of it. */
export function ratesFor(rates: Rates, version: string): FlowRates {
  return rates.versions[version] ?? UNKNOWN_FLOW;
}

function flowRates(before: Flow, now: Flow, seconds: number): FlowRates {
  // What a job reads and stores is in no sum of this node.
  const byJob = isStoredByJob(now);
  return {
    accepted: perSecond(before.accepted_total, now.accepted_total, seconds),
    refused: perSecond(before.refused_total, now.refused_total, seconds),
    appended: perSecond(before.appends?.orders ?? null, now.appends?.orders ?? null, seconds),
    read: byJob ? null : perSecond(before.read_total, now.read_total, seconds),
    stored: byJob ? null : perSecond(before.stored_total, now.stored_total, seconds),
    batchOrders: mean(before.batches, now.batches, "orders"),
    commitMs: toMillis(mean(before.batches, now.batches, "seconds")),
    appendMs: toMillis(mean(before.appends, now.appends, "seconds")),
  };
}

function perSecond(before: number | null, now: number | null, seconds: number): number | null {
  if (before === null || now === null || now < before) return null;
  return (now - before) / seconds;
}

function mean(before: Work | null, now: Work | null, of: "orders" | "seconds"): number | null {
  if (!before || !now || now.count <= before.count) return null;
  return (now[of] - before[of]) / (now.count - before.count);
}

function toMillis(seconds: number | null): number | null {
  return seconds === null ? null : seconds * 1_000;
}
