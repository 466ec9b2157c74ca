import { describe, expect, it } from "vitest";
import { count, millis, money, percent, rate, shortCount, span, timeOf, UNKNOWN } from "./format.ts";

describe("format", () => {
  it("shows what is unknown as a dash, never as 0", () => {
    for (const show of [count, shortCount, money, rate, millis, span, percent]) {
      expect(show(null)).toBe(UNKNOWN);
      expect(show(undefined)).toBe(UNKNOWN);
      expect(show(Number.NaN)).toBe(UNKNOWN);
    }
  });

  it("keeps cents of large amounts", () => {
    expect(money(1234567.5)).toBe("1,234,567.50");
    expect(money(0)).toBe("0.00");
  });

  it("shows a decimal of small rates only", () => {
    expect(rate(3.14)).toBe("3.1");
    expect(rate(99.94)).toBe("99.9");
    expect(rate(1234.5)).toBe("1,235");
  });

  it("shows milliseconds, and seconds from ten on", () => {
    expect(millis(0.42)).toBe("0.4 ms");
    expect(millis(0)).toBe("0 ms");
    expect(millis(12.6)).toBe("13 ms");
    expect(millis(9_999)).toBe("9,999 ms");
    expect(millis(12_340)).toBe("12.3 s");
  });

  it("shows spans in two units", () => {
    expect(span(45.9)).toBe("45 s");
    expect(span(185)).toBe("3 min 05 s");
    expect(span(7_620)).toBe("2 h 07 min");
    expect(span(356_400)).toBe("4 d 03 h");
  });

  it("reads times, and says where there is none", () => {
    expect(timeOf("1970-01-01T00:00:01Z")).toBe(1_000);
    expect(timeOf("soon")).toBeNull();
    expect(timeOf(null)).toBeNull();
  });
});
