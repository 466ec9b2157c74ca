import { describe, expect, it } from "vitest";
import { ClockOffset } from "./clock.ts";

describe("ClockOffset", () => {
  it("is unknown before the first frame", () => {
    const clock = new ClockOffset();
    expect(clock.milliseconds).toBeNull();
    expect(clock.nodeTime(5_000)).toBeNull();
  });

  it("is the smallest difference seen, also where the node is ahead", () => {
    const clock = new ClockOffset();
    clock.observe(1_000, 1_030);
    clock.observe(2_000, 2_004);
    clock.observe(3_000, 3_050);
    expect(clock.milliseconds).toBe(4);
    clock.observe(9_000, 4_000);
    expect(clock.nodeTime(4_000)).toBe(9_000);
  });

  it("forgets a minimum after ten minutes, so that it follows drift", () => {
    const clock = new ClockOffset();
    clock.observe(0, 4);
    for (let minute = 1; minute <= 10; minute += 1) clock.observe(minute * 60_000, minute * 60_000 + 20);
    expect(clock.milliseconds).toBe(20);
  });
});
