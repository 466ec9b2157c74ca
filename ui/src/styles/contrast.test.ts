import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const css = readFileSync(`${import.meta.dirname}/tokens.css`, "utf8");
const [light = "", dark = ""] = css.split(':root[data-theme="dark"]');

/** WCAG AA for text of any size. */
const TEXT = 4.5;
/** WCAG AA for borders of inputs and the like. */
const SHAPE = 3;

function colour(theme: string, name: string): readonly number[] {
  const hex = new RegExp(`--${name}: #([0-9a-f]{6});`).exec(theme)?.[1];
  if (hex === undefined) return expect.fail(`no colour ${name}`);
  return [0, 2, 4].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
}

function luminance(theme: string, name: string): number {
  const [red = 0, green = 0, blue = 0] = colour(theme, name);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(theme: string, one: string, other: string): number {
  const [low = 0, high = 0] = [luminance(theme, one), luminance(theme, other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

const GROUNDS = ["bg", "surface", "surface-2"];
const PAIRS: readonly (readonly [string, string, number])[] = [
  ...["text", "text-muted", "accent", "good", "warn", "bad", "unknown"].flatMap((ink) =>
    GROUNDS.map((ground) => [ink, ground, TEXT] as const),
  ),
  ...["good", "warn", "bad", "unknown"].map((ink) => [ink, `${ink}-soft`, TEXT] as const),
  ...[0, 1, 2, 3, 4].map((level) => ["text", `heat-${level}`, TEXT] as const),
  ["accent-text", "heat-5", TEXT],
  ["accent-text", "accent", TEXT],
  ["text", "accent-soft", TEXT],
  ...GROUNDS.flatMap((ground) => [
    ["focus", ground, SHAPE] as const,
    ["border-strong", ground, SHAPE] as const,
  ]),
];

describe.each([
  ["light", light],
  ["dark", dark],
])("colours of %s", (_, theme) => {
  it.each(PAIRS)("%s on %s reads well", (ink, ground, least) => {
    expect(contrast(theme, ink, ground)).toBeGreaterThanOrEqual(least);
  });
});
