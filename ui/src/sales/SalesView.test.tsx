import { fireEvent, render, screen, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import type { Sales } from "../lib/wire.ts";
import { violations } from "../testing/axe.ts";
import { history, nodeInfo, sales } from "../testing/fixtures.ts";
import { withRecent } from "./arrivals.ts";
import type { FreshnessSummary } from "./freshness.ts";
import { SalesView } from "./SalesView.tsx";
import { withFrame } from "./series.ts";
import type { SalesSnapshot } from "./store.ts";

const UNMEASURED: FreshnessSummary = { last: null, median: null, worst: null };

function snapshot(frame: Sales | null): SalesSnapshot {
  return {
    frame,
    receivedAt: 1_000,
    series: frame ? withFrame(new Map(), frame.seconds) : new Map(),
    minutes: frame ? history().minutes : null,
    arrivals: frame ? withRecent(new Map([[11, null]]), frame.recent_orders, 1_000) : null,
    measured: false,
  };
}

function show(frame: Sales | null, freshness = UNMEASURED, menu = nodeInfo().menu) {
  return render(<SalesView sales={snapshot(frame)} freshness={freshness} menu={menu} />);
}

const text = (id: string) => screen.getByTestId(id).textContent;

describe("SalesView", () => {
  it("shows the figures of a frame", () => {
    show(sales(), { last: 12.4, median: 10, worst: 250 });
    expect(text("hour-revenue")).toBe("1,234.50");
    expect(text("hour-orders")).toBe("300");
    expect(text("rate-now")).toBe("15.0");
    expect(text("stored-total")).toBe("123,456");
    expect(text("freshness")).toBe("12 ms");
    expect(screen.getByText("median 10 ms, worst 250 ms")).toBeTruthy();
  });

  it("shows an hour without orders as 0, and what is unknown as a dash", () => {
    show(sales({ current_hour: null, cells: [], recent_orders: [], top5_drinks: [], seconds: [] }));
    expect(text("hour-revenue")).toBe("0.00");
    expect(text("hour-orders")).toBe("0");
    expect(text("rate-now")).toBe("—");
    expect(text("freshness")).toBe("—");
    expect(text("heat-uptown-latte")).toBe("0");
  });

  it("knows nothing before the first frame", () => {
    show(null);
    for (const id of ["hour-revenue", "hour-orders", "rate-now", "stored-total", "freshness"]) {
      expect(text(id)).toBe("—");
    }
    expect(screen.queryByTestId("heat-map")).toBeNull();
  });

  it("ranks the drinks", () => {
    show(sales());
    const hour = within(screen.getByTestId("top-hour")).getAllByRole("listitem");
    expect(hour.map((item) => item.textContent)).toEqual(["latte220934.50", "americano80300.00"]);
    const month = within(screen.getByTestId("top-month")).getAllByRole("listitem");
    expect(month.map((item) => item.textContent)).toEqual(["cappuccino", "latte"]);
  });

  it("marks the orders that came, and keeps ten places", () => {
    show(sales());
    expect(screen.getByTestId("recent-12").className).toBe("is-new");
    expect(screen.getByTestId("recent-11").className).toBe("");
    expect(screen.getByTestId("recent-orders").querySelectorAll("tbody tr")).toHaveLength(10);
  });

  it("has a heat map that keys walk through and that reads out revenue", () => {
    show(sales());
    const grid = within(screen.getByTestId("heat-map"));
    expect(grid.getAllByRole("columnheader")).toHaveLength(4);
    expect(grid.getAllByRole("rowheader")).toHaveLength(2);
    const cells = grid.getAllByRole("gridcell");
    expect(cells.filter((cell) => cell.tabIndex === 0)).toHaveLength(1);
    cells[0]?.focus();
    fireEvent.keyDown(document.activeElement ?? document.body, { key: "End" });
    expect(document.activeElement).toBe(screen.getByTestId("heat-uptown-latte"));
    expect(screen.getByText("uptown, latte: 200 orders, 900.00")).toBeTruthy();
    expect(screen.getByTestId("heat-uptown-latte").className).toContain("heat-5");
    fireEvent.mouseEnter(screen.getByTestId("heat-airport-cappuccino"));
    expect(screen.getByText("airport, cappuccino: 0 orders, 0.00")).toBeTruthy();
  });

  it("has no axe violation, with and without orders", async () => {
    expect(await violations(show(sales()).container)).toEqual([]);
    expect(await violations(show(null).container)).toEqual([]);
  });
});
