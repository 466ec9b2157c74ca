import { mkdirSync } from "node:fs";
import { join } from "node:path";

/** What a run leaves behind: screenshots of failures, and the facts measured. Not committed. */
export const OUT = join(import.meta.dirname, "..", "out");
/** The repository. */
export const REPOSITORY = join(import.meta.dirname, "..", "..", "..");

/** The folder of what a run leaves behind, made where it is missing. */
export function outFile(name: string): string {
  mkdirSync(OUT, { recursive: true });
  return join(OUT, name);
}

/** A variable without which the stories prove nothing. */
export function needed(variable: string, how: string): string {
  const value = process.env[variable];
  if (!value) throw new Error(`${variable} is not set: ${how}`);
  return value;
}
