import type { TreeEvent } from "../../lib/wire.ts";
import type { Line } from "./events.ts";

const COLUMNS = ["seq", "at", "path", "kind", "generation", "detail"] as const;

/** The events among lines. */
export function eventsIn(lines: readonly Line[]): TreeEvent[] {
  return lines.flatMap((line) => (line.type === "event" ? [line.event] : []));
}

/** Events as a JSON array, one a line. */
export function eventsAsJson(events: readonly TreeEvent[]): string {
  return `[\n${events.map((event) => `  ${JSON.stringify(event)}`).join(",\n")}\n]\n`;
}

/** Events as CSV (RFC 4180) with a header line. */
export function eventsAsCsv(events: readonly TreeEvent[]): string {
  const rows = events.map((event) => COLUMNS.map((column) => csvCell(event[column])).join(","));
  return [COLUMNS.join(","), ...rows, ""].join("\r\n");
}

function csvCell(value: string | number | null): string {
  if (typeof value !== "string") return value === null ? "" : String(value);
  // Spreadsheets run what begins like a formula, and reasons of failures may quote anything.
  const safe = /^[=+\-@\t]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** The name of an exported file: sortable, and without characters that file systems refuse. */
export function exportName(now: Date, extension: "json" | "csv"): string {
  const stamp = now.toISOString().slice(0, 19).replaceAll(/[-:]/g, "");
  return `coffee-rt-events-${stamp}Z.${extension}`;
}
