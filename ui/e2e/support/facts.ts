import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { outFile } from "./places.ts";

/** Something measured. */
export interface Fact {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The most that it may be; null where it is only reported. */
  readonly limit: number | null;
}

const LINES = "facts.jsonl";

/** Keeps what was measured for the end of the run, and fails where it is beyond its limit. */
export function measured(name: string, value: number, unit: string, limit: number | null = null): void {
  const fact: Fact = { name, value: Math.round(value * 100) / 100, unit, limit };
  appendFileSync(outFile(LINES), `${JSON.stringify(fact)}\n`);
  // What is no number is no proof.
  if (limit !== null && !(value <= limit))
    throw new Error(`${name}: ${value} ${unit}, at most ${limit} may be`);
}

/** Forgets the facts of the run before. */
export function forgetFacts(): void {
  for (const file of [LINES, "facts.json"]) rmSync(outFile(file), { force: true });
}

/** Writes the facts as one document, and says them. */
export function tellFacts(): void {
  let lines: string[];
  try {
    lines = readFileSync(outFile(LINES), "utf8").trim().split("\n");
  } catch {
    return; // Nothing was measured by the stories that ran.
  }
  const facts = lines.map((line) => JSON.parse(line) as Fact);
  writeFileSync(outFile("facts.json"), `${JSON.stringify(facts, null, 2)}\n`);
  rmSync(outFile(LINES));
  const said = facts.map(({ name, value, unit, limit }) => {
    const most = limit === null ? "" : ` (at most ${limit})`;
    return `  ${name}: ${value} ${unit}${most}`;
  });
  process.stdout.write(`\nMeasured:\n${said.join("\n")}\n`);
}

/** The value below which a share of the values is. */
export function quantile(values: readonly number[], share: number): number {
  const ascending = [...values].sort((one, other) => one - other);
  return ascending[Math.min(ascending.length - 1, Math.floor(share * ascending.length))] ?? Number.NaN;
}

/** Other work on the machine only ever slows things down, so the best of some tries tells most of the page. */
const TRIES = 3;

/** Measures until the figure is within its limit, at most three times, and keeps the best. */
export async function measuredAtBest(
  name: string,
  unit: string,
  limit: number,
  measure: () => Promise<number>,
): Promise<void> {
  let best = Number.POSITIVE_INFINITY;
  for (let tries = 0; tries < TRIES && !(best <= limit); tries += 1) best = Math.min(best, await measure());
  measured(name, best, unit, limit);
}
