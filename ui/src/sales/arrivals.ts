import type { StoredOrder } from "../lib/wire.ts";

/** How long an order is marked as new. */
export const NEW_MS = 2_000;

/** When each order in view came, by id; null for those that were there at first. */
export type Arrivals = ReadonlyMap<number, number | null>;

/** The arrivals of the orders in view: those gone are forgotten, so it never grows. */
export function withRecent(before: Arrivals | null, recent: readonly StoredOrder[], now: number): Arrivals {
  return new Map(
    recent.map(({ id }) => [id, before === null ? null : before.has(id) ? (before.get(id) ?? null) : now]),
  );
}

/** Whether an order is marked as new. */
export function isNew(arrivals: Arrivals | null, id: number, now: number): boolean {
  const came = arrivals?.get(id) ?? null;
  return came !== null && now - came < NEW_MS;
}
