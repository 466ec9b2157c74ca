import { afterEach, describe, expect, it, vi } from "vitest";
import { ClockOffset } from "../lib/clock.ts";
import { nodeInfo, sales } from "../testing/fixtures.ts";
import { isNew, NEW_MS, withRecent } from "./arrivals.ts";
import { Freshness, summarize, WINDOW_MS } from "./freshness.ts";
import { drinkTotals, HEAT_LEVELS, heatLevel, heatMap, moveBy } from "./heat.ts";
import { hoursOfDay } from "./hours.ts";
import { minuteRows, rateNow, rowsOf, SECONDS_KEPT, type Series, withFrame, withHistory } from "./series.ts";

const EMPTY: Series = new Map();

describe("series", () => {
  it("takes a frame's finished seconds only", () => {
    const series = withFrame(EMPTY, sales().seconds);
    expect([...series.values()]).toEqual([10, 20]);
  });

  it("is the same where nothing is new", () => {
    const series = withFrame(EMPTY, sales().seconds);
    expect(withFrame(series, sales().seconds)).toBe(series);
    expect(withFrame(series, [])).toBe(series);
  });

  it("fills from the history, and keeps what a restarted node no longer knows", () => {
    const series = withFrame(EMPTY, [
      { at: 10, orders: 1 },
      { at: 12, orders: 3 },
      { at: 13, orders: 0 },
    ]);
    const filled = withHistory(series, { from: 9, orders: [null, null, 7, 4] });
    expect([...filled].sort(([one], [other]) => one - other)).toEqual([
      [9, null],
      [10, 1],
      [11, 7],
      [12, 4],
    ]);
  });

  it("never grows beyond its limit, and shows holes in time as unknown", () => {
    let series = EMPTY;
    for (let at = 0; at < 2 * SECONDS_KEPT; at += 2) {
      series = withFrame(series, [
        { at, orders: at },
        { at: at + 1, orders: 0 },
      ]);
    }
    expect(series.size).toBe(SECONDS_KEPT / 2);
    const rows = rowsOf(series);
    expect(rows.at).toHaveLength(SECONDS_KEPT);
    expect(rows.at.at(-1)).toBe(2 * SECONDS_KEPT - 2);
    expect(rows.values.slice(-3)).toEqual([596, null, 598]);
  });

  it("has no rate where no second is over", () => {
    expect(rateNow([])).toBeNull();
    expect(rateNow([{ at: 1, orders: 9 }])).toBeNull();
    expect(rateNow(sales().seconds)).toBe(15);
  });

  it("places minutes in time", () => {
    const rows = minuteRows({ from: "1970-01-01T00:02:00Z", orders: [3, 4], revenue: [1, 1] });
    expect(rows).toEqual({ at: [120, 180], values: [3, 4] });
  });
});

describe("hoursOfDay", () => {
  afterEach(() => vi.unstubAllEnvs());
  const now = Date.parse("2026-11-22T09:10:06Z");

  it("has 0 for past hours without orders, and nothing for those to come", () => {
    vi.stubEnv("TZ", "UTC");
    const { at, values } = hoursOfDay(sales().hours, now);
    expect(at).toHaveLength(24);
    expect(values.slice(7, 11)).toEqual([0, 40, 300, null]);
  });

  it("is the viewer's day", () => {
    vi.stubEnv("TZ", "America/New_York");
    const { values } = hoursOfDay(sales().hours, now);
    expect(values.slice(0, 6)).toEqual([0, 0, 0, 40, 300, null]);
  });

  it("has the hours that begin in the day where the zone is half an hour off, and 23 of a short day", () => {
    vi.stubEnv("TZ", "Asia/Kolkata");
    expect(new Date((hoursOfDay([], now).at[0] ?? 0) * 1_000).getMinutes()).toBe(30);
    vi.stubEnv("TZ", "Europe/Berlin");
    expect(hoursOfDay([], Date.parse("2026-03-29T10:00:00Z")).at).toHaveLength(23);
  });
});

describe("heat", () => {
  it("has a cell for each store and drink of the menu, and for what left it", () => {
    const cells = [...sales().cells, { store: "old", drink: "mocha", order_count: 1, revenue: 5 }];
    const map = heatMap(cells, nodeInfo().menu);
    expect(map.drinks).toEqual(["cappuccino", "americano", "latte", "mocha"]);
    expect(map.rows.map((row) => row.store)).toEqual(["uptown", "airport", "old"]);
    expect(map.rows[0]?.cells.map((cell) => cell.orders)).toEqual([0, 0, 200, 0]);
    expect(map.rows[0]?.cells[2]?.level).toBe(HEAT_LEVELS);
  });

  it("tells any sale from none", () => {
    expect(heatLevel(0, 10)).toBe(0);
    expect(heatLevel(1, 1_000)).toBe(1);
    expect(heatLevel(1_000, 1_000)).toBe(HEAT_LEVELS);
    expect(heatLevel(0, 0)).toBe(0);
  });

  it("sums drinks in the node's order", () => {
    expect(drinkTotals(sales().cells, ["latte", "tea"])).toEqual([
      { name: "latte", orders: 220, revenue: 934.5 },
      { name: "tea", orders: 0, revenue: 0 },
    ]);
  });

  it("moves within the table", () => {
    expect(moveBy("ArrowUp", { row: 0, column: 1 }, 2, 3)).toEqual({ row: 0, column: 1 });
    expect(moveBy("ArrowDown", { row: 0, column: 1 }, 2, 3)).toEqual({ row: 1, column: 1 });
    expect(moveBy("ArrowLeft", { row: 0, column: 1 }, 2, 3)).toEqual({ row: 0, column: 0 });
    expect(moveBy("ArrowRight", { row: 0, column: 2 }, 2, 3)).toEqual({ row: 0, column: 2 });
    expect(moveBy("Home", { row: 1, column: 2 }, 2, 3)).toEqual({ row: 1, column: 0 });
    expect(moveBy("End", { row: 1, column: 0 }, 2, 3)).toEqual({ row: 1, column: 2 });
    expect(moveBy("Enter", { row: 1, column: 0 }, 2, 3)).toBeNull();
  });
});

describe("arrivals", () => {
  it("marks what came after the first frame, for a while, and forgets what is gone", () => {
    const [newer, older] = sales().recent_orders;
    if (!newer || !older) return expect.fail("the fixture has two orders");
    const first = withRecent(null, [older], 1_000);
    const second = withRecent(first, [newer, older], 2_000);
    expect(isNew(second, older.id, 2_000)).toBe(false);
    expect(isNew(second, newer.id, 2_000)).toBe(true);
    expect(isNew(second, newer.id, 2_000 + NEW_MS)).toBe(false);
    const third = withRecent(second, [newer], 3_000);
    expect([...third]).toEqual([[newer.id, 2_000]]);
    expect(isNew(null, newer.id, 0)).toBe(false);
  });
});

describe("freshness", () => {
  it("summarizes", () => {
    expect(summarize([])).toEqual({ last: null, median: null, worst: null });
    const samples = [30, 10, 20].map((age) => ({ at: 0, age }));
    expect(summarize(samples)).toEqual({ last: 20, median: 20, worst: 30 });
  });

  it("measures newer orders only, by the node's clock, for a minute", () => {
    const clock = new ClockOffset();
    clock.observe(0, 500);
    const freshness = new Freshness(clock);
    const frame = (ms: number | null) =>
      sales({ accepted_at: ms === null ? null : new Date(ms).toISOString() });
    expect(freshness.brings(frame(null), 1_400)).toBe(false);
    expect(freshness.brings(frame(1_000), 1_500)).toBe(false);
    expect(freshness.brings(frame(1_000), 1_600)).toBe(false);
    const next = frame(2_000);
    expect(freshness.brings(next, 2_510)).toBe(true);
    freshness.painted(next, 2_540);
    expect(freshness.getSnapshot()).toEqual({ last: 40, median: 40, worst: 40 });
    freshness.brings(frame(2_000), 2_540 + WINDOW_MS);
    expect(freshness.getSnapshot().last).toBeNull();
  });
});
