import { afterEach, describe, expect, it, vi } from "vitest";
import { axisTop, describe as describeRows, sameRows, stepLabel } from "./chart-data.ts";

describe("charts", () => {
  afterEach(() => vi.unstubAllEnvs());

  it("are told in a sentence", () => {
    const at = [0, 60, 120];
    expect(describeRows({ at, values: [null, 2, 5] }, "second")).toMatch(
      /^7 orders in 2 seconds, most at .*: 5\.$/,
    );
    expect(describeRows({ at, values: [0, null, null] }, "hour")).toBe("No orders in 1 hour.");
    expect(describeRows({ at, values: [null, null, null] }, "hour")).toBe("Nothing is known yet.");
    expect(describeRows({ at: [], values: [] }, "minute")).toBe("Nothing is known yet.");
  });

  it("are drawn again where a value or a time differs", () => {
    const rows = { at: [1, 2], values: [3, null] };
    expect(sameRows(rows, { at: [1, 2], values: [3, null] })).toBe(true);
    expect(sameRows(rows, { at: [1, 2], values: [3, 0] })).toBe(false);
    expect(sameRows(rows, { at: [2, 3], values: [3, null] })).toBe(false);
    expect(sameRows(rows, { at: [1], values: [3] })).toBe(false);
  });

  it("label seconds to the second only", () => {
    expect(stepLabel(3_661, "second")).toMatch(/:01:01$/);
    expect(stepLabel(3_661, "minute")).toMatch(/^\d\d:01$/);
  });

  it("do not let a single order fill the axis", () => {
    expect(axisTop(null)).toBe(4);
    expect(axisTop(1)).toBe(4);
    expect(axisTop(100)).toBeCloseTo(110, -1);
  });
});
