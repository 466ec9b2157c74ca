import { act, fireEvent, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it, vi } from "vitest";
import { EventLog } from "../EventLog.tsx";
import { NO_EVENTS, withEvents } from "../model/events.ts";
import { event, events } from "./fixtures.ts";

const ROW_PX = 26;
const store = withEvents(NO_EVENTS, events(1, 10_000));
const log = () => screen.getByTestId("event-log");
const linesShown = () => log().querySelectorAll(".node-line").length;

function scrollTo(px: number) {
  log().scrollTop = px;
  fireEvent.scroll(log());
}

/** The text of what is handed to the viewer as a file. */
async function exported(click: () => Promise<void>): Promise<string> {
  const blobs: Blob[] = [];
  vi.stubGlobal("URL", {
    createObjectURL: (blob: Blob) => {
      blobs.push(blob);
      return "blob:x";
    },
    revokeObjectURL: () => undefined,
  });
  vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(() => undefined);
  await click();
  vi.unstubAllGlobals();
  const reader = new FileReader();
  return new Promise((resolve) => {
    reader.onload = () => resolve(String(reader.result));
    reader.readAsText(blobs[0] ?? new Blob());
  });
}

describe("the event log", () => {
  it("holds few of ten thousand events in the document, the newest first of all", () => {
    render(<EventLog store={store} />);
    expect(linesShown()).toBeLessThanOrEqual(80);
    expect(screen.getByTestId("event-10000")).toBeTruthy();
    scrollTo(5_000 * ROW_PX);
    expect(linesShown()).toBeLessThanOrEqual(80);
    expect(screen.getByTestId("event-5001")).toBeTruthy();
    expect(screen.queryByTestId("event-10000")).toBeNull();
    scrollTo(0);
    expect(screen.getByTestId("event-1")).toBeTruthy();
  });

  it("follows the newest until scrolled up, and again after the jump", async () => {
    const user = userEvent.setup();
    const { rerender } = render(<EventLog store={store} />);
    const next = withEvents(store, [event(10_001)]);
    rerender(<EventLog store={next} />);
    expect(screen.getByTestId("event-10001")).toBeTruthy();
    expect(screen.queryByText("Jump to newest")).toBeNull();
    scrollTo(100 * ROW_PX);
    rerender(<EventLog store={withEvents(next, [event(10_002)])} />);
    expect(screen.queryByTestId("event-10002")).toBeNull();
    await user.click(screen.getByText("Jump to newest"));
    expect(screen.getByTestId("event-10002")).toBeTruthy();
    expect(log().dataset["follows"]).toBe("true");
  });

  it("stays where it was scrolled to while older events come before it", () => {
    const late = withEvents(NO_EVENTS, events(500, 900));
    const { rerender } = render(<EventLog store={late} />);
    scrollTo(101 * ROW_PX + 5);
    rerender(<EventLog store={withEvents(late, events(1, 499))} />);
    // One line less than events came: the line of the gap has gone.
    expect(log().scrollTop).toBe((101 + 498) * ROW_PX + 5);
  });

  it("filters by text and by kind", async () => {
    const user = userEvent.setup();
    const few = withEvents(NO_EVENTS, [
      event(1, 1, { path: "v1/batcher-0", kind: "failed", detail: "killed" }),
      event(2, 2, { path: "v1/batcher-0" }),
      event(3, 3, { path: "http" }),
    ]);
    render(<EventLog store={few} />);
    await user.type(screen.getByTestId("event-filter"), "batcher");
    expect(screen.queryByTestId("event-3")).toBeNull();
    expect(linesShown()).toBe(2);
    await user.click(screen.getByRole("button", { name: "failed" }));
    expect(screen.queryByTestId("event-1")).toBeNull();
    expect(screen.getByRole("button", { name: "failed" }).getAttribute("aria-pressed")).toBe("false");
    expect(screen.getByText("1 of 3")).toBeTruthy();
  });

  it("exports what is shown as JSON and CSV", async () => {
    const user = userEvent.setup();
    render(<EventLog store={withEvents(NO_EVENTS, [event(1), event(2, 2, { path: "http" })])} />);
    await user.type(screen.getByTestId("event-filter"), "http");
    const json = await exported(() => user.click(screen.getByTestId("event-export-json")));
    expect(JSON.parse(json)).toEqual([event(2, 2, { path: "http" })]);
    const csv = await exported(() => user.click(screen.getByTestId("event-export-csv")));
    expect(csv.split("\r\n")).toHaveLength(3);
    expect(csv).toContain(",http,started,1,");
  });

  it("tells gaps that are being fetched from those that stay", () => {
    const { rerender } = render(<EventLog store={withEvents(NO_EVENTS, events(4, 5))} />);
    expect(screen.getByText("3 events being fetched …")).toBeTruthy();
    act(() => rerender(<EventLog store={{ ...withEvents(NO_EVENTS, events(4, 5)), lostBelow: 4 }} />));
    expect(screen.getByText("3 events the node does not keep any more")).toBeTruthy();
  });
});
