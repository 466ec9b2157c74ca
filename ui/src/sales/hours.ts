import type { Sales } from "../lib/wire.ts";
import type { Rows } from "../lib/chart-data.ts";

const HOUR_MS = 3_600_000;

/**
 * The orders of the viewer's day by hour: each UTC hour that begins in it. Where the zone is not a whole number of hours
 * off UTC they begin at half past, and are drawn there. Hours to come are null; past hours that are absent had none.
 */
export function hoursOfDay(hours: Sales["hours"], nowMs: number): Rows {
  const midnight = new Date(nowMs);
  midnight.setHours(0, 0, 0, 0);
  const next = new Date(midnight);
  next.setDate(next.getDate() + 1);
  const orders = new Map(hours.map(({ hour, order_count }) => [Date.parse(hour), order_count]));
  const at: number[] = [];
  const values: (number | null)[] = [];
  for (let hour = Math.ceil(midnight.getTime() / HOUR_MS) * HOUR_MS; hour < next.getTime(); hour += HOUR_MS) {
    at.push(hour / 1_000);
    values.push(hour > nowMs ? null : (orders.get(hour) ?? 0));
  }
  return { at, values };
}
