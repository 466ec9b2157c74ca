import type { Rows } from "../lib/chart-data.ts";
import type { History, Sales } from "../lib/wire.ts";

/** Finished seconds that are kept and drawn. */
export const SECONDS_KEPT = 300;
/** Finished seconds that "now" is the mean of. */
export const NOW_SECONDS = 5;

/** Orders in each finished second, by unix time; null or absent where unknown. */
export type Series = ReadonlyMap<number, number | null>;

/** Takes in the history: it fills what is missing. Known seconds stay: a node that was started again knows less. */
export function withHistory(series: Series, seconds: History["seconds"]): Series {
  const known = seconds.orders.map((orders, index) => [seconds.from + index, orders] as const);
  return merge(
    series,
    known.filter(([at, orders]) => orders !== null || !series.has(at)),
  );
}

/** Takes in a frame's seconds but the last one, which is not over. */
export function withFrame(series: Series, seconds: Sales["seconds"]): Series {
  return merge(
    series,
    seconds.slice(0, -1).map(({ at, orders }) => [at, orders] as const),
  );
}

/** The same object where nothing is new, so that nothing is drawn again. */
function merge(series: Series, news: readonly (readonly [number, number | null])[]): Series {
  if (news.every(([at, orders]) => series.has(at) && series.get(at) === orders)) return series;
  const all = new Map([...series, ...news]);
  const oldest = Math.max(...all.keys()) - SECONDS_KEPT;
  return new Map([...all].filter(([at]) => at > oldest));
}

/** The last `SECONDS_KEPT` seconds without holes in time; unknown ones are null. */
export function rowsOf(series: Series): Rows {
  if (series.size === 0) return { at: [], values: [] };
  const from = Math.max(...series.keys()) - SECONDS_KEPT + 1;
  const at = Array.from({ length: SECONDS_KEPT }, (_, index) => from + index);
  return { at, values: at.map((second) => series.get(second) ?? null) };
}

/** Orders per second now: the mean of a frame's last finished seconds; null where none is. */
export function rateNow(seconds: Sales["seconds"]): number | null {
  const finished = seconds.slice(0, -1).slice(-NOW_SECONDS);
  if (finished.length === 0) return null;
  return finished.reduce((sum, { orders }) => sum + orders, 0) / finished.length;
}

/** The past hour by minute, as rows. */
export function minuteRows(minutes: History["minutes"]): Rows {
  const from = Math.floor(Date.parse(minutes.from) / 1_000);
  return { at: minutes.orders.map((_, index) => from + index * 60), values: minutes.orders };
}
