/** What stands where a value is not known: never 0. */
export const UNKNOWN = "—";

const LOCALE = "en";
const SECOND_MS = 1_000;
const MINUTE_S = 60;
const HOUR_S = 3_600;
const DAY_S = 86_400;

const whole = new Intl.NumberFormat(LOCALE, { maximumFractionDigits: 0 });
const oneDecimal = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const cents = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(LOCALE, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const clockMinutes = new Intl.DateTimeFormat(LOCALE, {
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const dayAndClock = new Intl.DateTimeFormat(LOCALE, {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

/** A value that may be unknown. */
export type Maybe = number | null | undefined;

function known(value: Maybe): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

/** A number of things: `12,345`. */
export function count(value: Maybe): string {
  return known(value) ? whole.format(value) : UNKNOWN;
}

/** A number of things where room is short: `12.3K`. */
export function shortCount(value: Maybe): string {
  return known(value) ? compact.format(value) : UNKNOWN;
}

/** An amount with its cents: `1,234.50`. The node knows no currency, so none is shown. */
export function money(value: Maybe): string {
  return known(value) ? cents.format(value) : UNKNOWN;
}

/** Things per second: one decimal where it is told apart by it. */
export function rate(value: Maybe): string {
  if (!known(value)) return UNKNOWN;
  return Math.abs(value) < 100 ? oneDecimal.format(value) : whole.format(value);
}

/** Milliseconds: `0.4 ms`, `12 ms`, `3.2 s`. */
export function millis(value: Maybe): string {
  if (!known(value)) return UNKNOWN;
  if (Math.abs(value) >= 10 * SECOND_MS) return `${oneDecimal.format(value / SECOND_MS)} s`;
  return Math.abs(value) < 10 && !Number.isInteger(value)
    ? `${oneDecimal.format(value)} ms`
    : `${whole.format(value)} ms`;
}

/** A span in its two largest units: `45 s`, `3 min 05 s`, `2 h 07 min`, `4 d 03 h`. */
export function span(seconds: Maybe): string {
  if (!known(seconds)) return UNKNOWN;
  const total = Math.max(0, Math.floor(seconds));
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  if (total < MINUTE_S) return `${total} s`;
  if (total < HOUR_S) return `${Math.floor(total / MINUTE_S)} min ${two(total % MINUTE_S)} s`;
  if (total < DAY_S) return `${Math.floor(total / HOUR_S)} h ${two((total % HOUR_S) / MINUTE_S)} min`;
  return `${Math.floor(total / DAY_S)} d ${two((total % DAY_S) / HOUR_S)} h`;
}

/** A share of a whole, of 0 to 1: `42 %`. */
export function percent(share: Maybe): string {
  return known(share) ? `${whole.format(share * 100)} %` : UNKNOWN;
}

/** The unix time in milliseconds of an ISO 8601 time; null where it is none. */
export function timeOf(iso: string | null | undefined): number | null {
  const time = iso ? Date.parse(iso) : Number.NaN;
  return Number.isNaN(time) ? null : time;
}

/** A time of the viewer's day: `09:41:07`. */
export function clockTime(unixMs: Maybe): string {
  return known(unixMs) ? clock.format(unixMs) : UNKNOWN;
}

/** A time of the viewer's day without seconds: `09:41`. */
export function clockMinute(unixMs: Maybe): string {
  return known(unixMs) ? clockMinutes.format(unixMs) : UNKNOWN;
}

/** A date and time of the viewer: `Nov 22, 09:41:07`. */
export function dateTime(unixMs: Maybe): string {
  return known(unixMs) ? dayAndClock.format(unixMs) : UNKNOWN;
}

/** The viewer's time zone as a name: `Europe/Berlin`. */
export function timeZone(): string {
  return new Intl.DateTimeFormat(LOCALE).resolvedOptions().timeZone;
}
