import { act, fireEvent, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Events } from "../../lib/wire.ts";
import { actors, at, directFlow, event, events, info, loggedFlow, picture } from "./fixtures.ts";
import { SLOW, beginAnew, button, loadEvents, row, view } from "./harness.tsx";

/** Rules that ask for what jsdom does not do. */
const NEEDS_LAYOUT = {
  "color-contrast": { enabled: false },
  "label-content-name-mismatch": { enabled: false },
  region: { enabled: false },
};

vi.setConfig(SLOW);
beforeEach(beginAnew);

describe("the tree", () => {
  it("shows each actor with its state in words", () => {
    const down = actors({
      "v1/batcher-0": { state: "restarting", generation: 3, restarts: 2, last_failure: "killed" },
      "v1/ingest": { in_flight: 12 },
    });
    render(view({ picture: picture(0, { actors: down }) }));
    expect(row("v1/batcher-0").dataset).toMatchObject({ state: "restarting", generation: "3" });
    expect(row("v1/batcher-0")).toHaveProperty("textContent", expect.stringContaining("restarting3"));
    expect(row("v1/batcher-0").textContent).toContain("killed");
    expect(row("v1/ingest").textContent).toContain("12 of 4,096");
    expect(row("v2/pair-0").textContent).toContain("rest for one");
    expect(document.querySelectorAll("tbody tr")).toHaveLength(actors().length);
  });

  it("is used with the keyboard: one tab stop, arrows, folding, then the row's buttons", async () => {
    const user = userEvent.setup();
    render(view());
    row("root").focus();
    await user.keyboard("{End}");
    expect(document.activeElement).toBe(row("http"));
    await user.keyboard("{Home}{ArrowDown}{ArrowLeft}");
    expect(row("shared").getAttribute("aria-expanded")).toBe("false");
    expect(screen.queryByTestId("actor-row-shared/cache")).toBeNull();
    await user.keyboard("{ArrowDown}");
    expect(document.activeElement).toBe(row("v1"));
    await user.keyboard("{ArrowUp}{ArrowRight}{ArrowRight}");
    expect(document.activeElement).toBe(row("shared/fan-out"));
    await user.tab();
    expect(document.activeElement).toBe(button("shared/fan-out", "act-kill"));
    expect(row("root").tabIndex).toBe(-1);
    await user.keyboard("{ArrowDown}");
    expect(document.activeElement).toBe(button("shared/fan-out", "act-kill"));
  });

  it("folds with the pointer", () => {
    render(view());
    fireEvent.click(screen.getByRole("button", { name: "Fold v2", hidden: true }));
    expect(screen.queryByTestId("actor-row-v2/ingest")).toBeNull();
    fireEvent.click(screen.getByRole("button", { name: "Unfold v2", hidden: true }));
    expect(row("v2/ingest")).toBeTruthy();
  });

  it("keeps the elements of rows over pictures, and the focus with them", () => {
    const { rerender } = render(view());
    row("v1/ingest").focus();
    const before = row("v1/ingest");
    rerender(
      view({ picture: picture(50, { actors: actors({ "v1/ingest": { handled_per_second: 999 } }) }) }),
    );
    expect(row("v1/ingest")).toBe(before);
    expect(document.activeElement).toBe(before);
    expect(before.textContent).toContain("999");
  });
});

describe("flows", () => {
  it("are unknown with one picture, and rates with two", () => {
    const { rerender } = render(view());
    expect(screen.getByTestId("flow-v1-accepted").textContent).toContain("—");
    const flows = {
      v1: directFlow({ accepted_total: 1_400 }),
      v2: loggedFlow({
        in_flight: 4_000,
        read_total: 1_010,
        appends: { count: 60, orders: 1_030, seconds: 0.6 },
      }),
    };
    rerender(view({ picture: picture(500, { flows }) }));
    expect(screen.getByTestId("flow-v1-accepted").textContent).toContain("800");
    expect(screen.getByTestId("flow-v1-stored").textContent).toContain("0.0");
    expect(screen.getByTestId("flow-v2-appended").textContent).toContain("60.0");
    expect(screen.getByTestId("flow-v2-read").textContent).toContain("20.0");
    expect(screen.queryByTestId("flow-v1-read")).toBeNull();
    expect(screen.getByTestId("flow-v2").dataset["waiting"]).toBe("appender");
    expect(screen.getByTestId("flow-v1").dataset["waiting"]).toBe("none");
  });

  it("are said to be old while not connected", () => {
    render(view({ live: false }));
    expect(screen.getByText(/Not connected/)).toBeTruthy();
  });
});

describe("the timeline", () => {
  const done = () =>
    ["killed", "restarted", "first-order", "drained"].map(
      (name) => screen.getByTestId(`timeline-${name}`).dataset["done"],
    );

  it("follows the last fault", () => {
    const path = "v1/batcher-1";
    const { rerender } = render(view());
    expect(done()).toEqual(["false", "false", "false", "false"]);
    const first = [event(1, 50, { path, kind: "fault", detail: "kill" })];
    rerender(view({ picture: picture(60, { events: first }) }));
    expect(done()).toEqual(["true", "false", "false", "false"]);
    const second = [...first, event(2, 90, { path, generation: 2 })];
    rerender(view({ picture: picture(95, { events: second, flows: { v1: directFlow({ in_flight: 9 }) } }) }));
    expect(done()).toEqual(["true", "true", "false", "false"]);
    expect(screen.getByTestId("timeline-restarted").textContent).toContain("+40 ms");
    const third = [...second, event(3, 110, { path, kind: "first_work", generation: 2 })];
    rerender(view({ picture: picture(120, { events: third }) }));
    expect(done()).toEqual(["true", "true", "true", "true"]);
    expect(screen.getByTestId("timeline").textContent).toContain("generation 1 → 2");
  });
});

describe("the page", () => {
  it("has no accessibility violation that can be told without layout", async () => {
    const { container } = render(
      view({ picture: picture(0, { actors: actors().slice(0, 12), events: events(1, 8) }) }),
    );
    const result = await axe.run(container, {
      rules: NEEDS_LAYOUT,
    });
    expect(result.violations.map((one) => `${one.id}: ${one.nodes[0]?.html ?? ""}`)).toEqual([]);
  });

  it("waits for the first picture", () => {
    render(view({ picture: null, live: false, info: null }));
    expect(screen.getByText("Waiting for the first picture of the node.")).toBeTruthy();
    expect(screen.getByTestId("event-log").textContent).toContain("No events");
  });

  it("asks for missing events and marks a restart of the node", async () => {
    loadEvents.mockResolvedValueOnce({ events: events(1, 6), newest_seq: 6 } satisfies Events);
    const { rerender } = render(view({ picture: picture(0, { events: events(5, 6) }) }));
    expect(await screen.findByTestId("event-1")).toBeTruthy();
    expect(loadEvents).toHaveBeenCalledExactlyOnceWith(0);
    const again = picture(900, { frames_total: 1, events: [event(1, 800)] });
    act(() => rerender(view({ picture: again, info: info({ started_at: at(700) }) })));
    expect(screen.getAllByText(/The node started anew/)).toHaveLength(1);
    expect(screen.getAllByTestId("event-1")).toHaveLength(2);
  });
});
