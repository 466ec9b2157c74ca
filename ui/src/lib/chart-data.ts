import { clockMinute, clockTime, count } from "./format.ts";

/** Two aligned rows: ascending unix times and values, null where unknown. */
export interface Rows {
  readonly at: readonly number[];
  readonly values: readonly (number | null)[];
}

/** What one step along the time axis is. */
export type Step = "second" | "minute" | "hour";

/** Seconds of a step. */
export const STEP_SECONDS: Record<Step, number> = { second: 1, minute: 60, hour: 3_600 };

/** The time of a step as it is read out. */
export function stepLabel(at: number, step: Step): string {
  return step === "second" ? clockTime(at * 1_000) : clockMinute(at * 1_000);
}

/** Whether two charts would look the same. */
export function sameRows(one: Rows, other: Rows): boolean {
  return same(one.at, other.at) && same(one.values, other.values);
}

function same(one: readonly (number | null)[], other: readonly (number | null)[]): boolean {
  return (
    one === other || (one.length === other.length && one.every((value, index) => value === other[index]))
  );
}

/** The chart in a sentence, for those who do not see it. */
export function describe({ at, values }: Rows, step: Step): string {
  let sum = 0;
  let known = 0;
  let best = -1;
  values.forEach((value, index) => {
    if (value === null) return;
    known += 1;
    sum += value;
    if (best < 0 || value > (values[best] ?? 0)) best = index;
  });
  if (known === 0) return "Nothing is known yet.";
  const steps = `${count(known)} ${step}${known === 1 ? "" : "s"}`;
  if (sum === 0) return `No orders in ${steps}.`;
  return `${count(sum)} orders in ${steps}, most at ${stepLabel(at[best] ?? 0, step)}: ${count(values[best])}.`;
}

/** The upper end of the value axis: never so small that one order fills it. */
export function axisTop(most: number | null): number {
  return Math.max(4, Math.ceil((most ?? 0) * 1.1));
}
