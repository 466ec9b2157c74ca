import { act, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, describe, expect, it } from "vitest";
import FakeUPlot from "../testing/fake-uplot.ts";
import { violations } from "../testing/axe.ts";
import { TimeChart } from "./charts.tsx";
import { theme } from "./theme.ts";

const ROWS = { at: [0, 60, 120], values: [3, null, 5] };

function chart(rows = ROWS, kind: "line" | "bars" = "bars") {
  return (
    <TimeChart
      title="Orders"
      kind={kind}
      step="minute"
      rows={rows}
      height={100}
      note="8 in all"
      testId="chart"
    />
  );
}

describe("TimeChart", () => {
  afterEach(() => FakeUPlot.made.splice(0));
  const plot = () => FakeUPlot.made.at(-1) ?? expect.fail("no plot was made");

  it("gives the plot its rows, unknown ones as null", () => {
    render(chart());
    expect(plot().data).toEqual([
      [0, 60, 120],
      [3, null, 5],
    ]);
  });

  it("draws again only where a value changed, and cleans up", () => {
    const { rerender, unmount } = render(chart());
    rerender(chart({ at: [0, 60, 120], values: [3, null, 5] }));
    expect(plot().given).toHaveLength(1);
    rerender(chart({ at: [0, 60, 120], values: [3, 4, 5] }));
    expect(plot().given).toHaveLength(2);
    expect(FakeUPlot.made).toHaveLength(1);
    unmount();
    expect(plot().destroyed).toBe(true);
  });

  it("is made anew in another theme, with what was last drawn", () => {
    render(chart());
    act(() => theme.toggle());
    act(() => theme.toggle());
    expect(FakeUPlot.made).toHaveLength(3);
    expect(FakeUPlot.made[0]?.destroyed).toBe(true);
    expect(plot().data[1]).toEqual([3, null, 5]);
  });

  it("reads out the bar that is pointed at, and unknown ones as such", () => {
    render(chart());
    expect(screen.getByText("8 in all")).toBeTruthy();
    // Right of the middle of the first bar, the second one is nearest.
    act(() => plot().point(1, 40));
    expect(screen.getByText(/^\d\d:00: 3$/)).toBeTruthy();
    act(() => plot().point(1, 70));
    expect(screen.getByText(/^\d\d:01: unknown$/)).toBeTruthy();
    act(() => plot().point(null, -10));
    expect(screen.getByText("8 in all")).toBeTruthy();
  });

  it("reads out the nearest point of a line", () => {
    render(chart(ROWS, "line"));
    act(() => plot().point(2, 100));
    expect(screen.getByText(/: 5$/)).toBeTruthy();
  });

  it("is a picture in a sentence, and a table when opened", async () => {
    const { container } = render(chart());
    expect(screen.getByRole("img").getAttribute("aria-label")).toMatch(/^Orders\. 8 orders in 2 minutes/);
    expect(container.querySelector("table")).toBeNull();
    const details = container.querySelector("details") ?? expect.fail("no details");
    details.open = true;
    fireEvent(details, new Event("toggle"));
    expect(screen.getAllByRole("row")).toHaveLength(4);
    expect(screen.getByText("—")).toBeTruthy();
    expect(await violations(container)).toEqual([]);
  });
});
