import type { Failure } from "../lib/api.ts";

/** Errors that stand beside their fields, and what is said above the form. */
export interface FormErrors {
  readonly byField: Readonly<Record<string, string>>;
  readonly above: string | null;
}

/** No error. */
export const NO_ERRORS: FormErrors = { byField: {}, above: null };

/** Puts each error of an answer where it belongs: beside its field where the form shows that, else above. */
export function placeErrors(failure: Failure, fields: readonly string[]): FormErrors {
  const byField: Record<string, string> = {};
  const elsewhere: string[] = [];
  for (const { field, message } of failure.problem?.errors ?? []) {
    if (!fields.includes(field)) elsewhere.push(`${field} ${message}`);
    else byField[field] = byField[field] ? `${byField[field]}; ${message}` : message;
  }
  const placed = Object.keys(byField).length > 0;
  if (placed) return { byField, above: elsewhere.length > 0 ? elsewhere.join("; ") : null };
  return { byField, above: failure.message };
}

/** What to do after an order was not acknowledged; null where the errors say it. */
export function adviceAfter(failure: Failure, key: string): string | null {
  const unsettled = failure.status === null || failure.status >= 500;
  if (!unsettled) return null;
  const when = failure.retryAfterSeconds;
  const again = when === null ? "Try again" : `Try again in ${when} s`;
  return key === ""
    ? `${again}. It may have been stored after all, and without a key it would then be stored twice.`
    : `${again}, with the same key: that never stores it twice.`;
}

/**
 * The time of an order as it is sent: now where none was typed. What is no time is sent as it is, for the node to say so.
 */
export function timestampOf(typed: string, nowMs: number): string {
  if (typed === "") return new Date(nowMs).toISOString();
  const time = Date.parse(typed);
  return Number.isNaN(time) ? typed : new Date(time).toISOString();
}

/** A new Idempotency-Key; also where the page was not loaded over a secure connection and has no `randomUUID`. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  // Version 4, variant 1.
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** What was typed as a number; 0 where it is none, for the node to refuse. */
export function numberOf(typed: string): number {
  const value = Number(typed);
  return Number.isFinite(value) ? value : 0;
}
