import { act, fireEvent, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Events, NodeInfo, Picture } from "../../lib/wire.ts";
import { recorder } from "../model/record.ts";
import { NodeView } from "../NodeView.tsx";
import { actors, at, directFlow, event, events, info, loggedFlow, picture } from "./fixtures.ts";

/** Rules that ask for what jsdom does not do. */
const NEEDS_LAYOUT = {
  "color-contrast": { enabled: false },
  "label-content-name-mismatch": { enabled: false },
  region: { enabled: false },
};
const inject = vi.fn();
const loadEvents = vi.fn();
const onToken = vi.fn();

interface Changes {
  picture?: Picture | null;
  live?: boolean;
  info?: NodeInfo | null;
  token?: string;
}

function view({ picture: shown = picture(), live = true, info: node = info(), token = "" }: Changes = {}) {
  return (
    <NodeView
      picture={shown}
      live={live}
      info={node}
      inject={inject}
      loadEvents={loadEvents}
      token={token}
      onToken={onToken}
    />
  );
}

const row = (path: string) => screen.getByTestId(`actor-row-${path}`);
const button = (path: string, name: string) => within(row(path)).getByTestId(name);

// A whole tree, on a busy machine.
vi.setConfig({ testTimeout: 20_000 });

beforeAll(() => {
  // jsdom has no modal dialogs.
  HTMLDialogElement.prototype.showModal = function showModal(this: HTMLDialogElement) {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = function close(this: HTMLDialogElement) {
    this.open = false;
  };
});

beforeEach(() => {
  recorder.reset();
  sessionStorage.clear();
  inject.mockReset().mockResolvedValue({ ok: true });
  loadEvents.mockReset().mockResolvedValue({ events: [], newest_seq: 0 } satisfies Events);
  onToken.mockReset();
});

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

describe("faults", () => {
  it("are asked about, and cancelled", async () => {
    const user = userEvent.setup();
    render(view());
    await user.click(button("v2", "act-kill"));
    const dialog = screen.getByTestId("confirm-dialog");
    expect(dialog.textContent).toContain("Everything below it");
    expect(document.activeElement).toBe(screen.getByTestId("confirm-ok"));
    await user.click(screen.getByTestId("confirm-cancel"));
    expect(screen.queryByTestId("confirm-dialog")).toBeNull();
    expect(inject).not.toHaveBeenCalled();
  });

  it("are injected after the answer, which is shown", async () => {
    const user = userEvent.setup();
    render(view());
    await user.click(button("v1/batcher-0", "act-panic"));
    await user.click(screen.getByTestId("confirm-ok"));
    expect(inject).toHaveBeenCalledExactlyOnceWith("v1/batcher-0", { mode: "panic" });
    expect(screen.getByRole("status").textContent).toBe("v1/batcher-0 was told to panic.");
    await user.click(button("v1/batcher-0", "act-kill"));
    expect(screen.getByTestId("confirm-dialog")).toBeTruthy();
  });

  it("are not asked about again this session where that was said", async () => {
    const user = userEvent.setup();
    const { unmount } = render(view());
    await user.click(button("v1/batcher-0", "act-kill"));
    await user.click(screen.getByTestId("confirm-never"));
    await user.click(screen.getByTestId("confirm-ok"));
    unmount();
    render(view());
    await user.click(button("http", "act-kill"));
    expect(screen.queryByTestId("confirm-dialog")).toBeNull();
    expect(inject).toHaveBeenLastCalledWith("http", { mode: "kill" });
    await user.click(screen.getByRole("checkbox", { name: "Ask before each fault" }));
    await user.click(button("http", "act-kill"));
    expect(screen.getByTestId("confirm-dialog")).toBeTruthy();
    expect(inject).toHaveBeenCalledTimes(2);
  });

  it("stall for as long as typed, within bounds", async () => {
    const user = userEvent.setup();
    render(view());
    const seconds = screen.getByRole("textbox", { name: /Stall for/ });
    await user.clear(seconds);
    await user.type(seconds, "0.25");
    await user.click(button("v1/ingest", "act-stall"));
    await user.click(screen.getByTestId("confirm-ok"));
    expect(inject).toHaveBeenCalledExactlyOnceWith("v1/ingest", { mode: "stall", millis: 250 });
    await user.clear(seconds);
    await user.type(seconds, "6");
    await user.click(button("v1/ingest", "act-stall"));
    expect(screen.queryByTestId("confirm-dialog")).toBeNull();
    expect(screen.getByRole("status").textContent).toContain("0.001 to 5 seconds");
  });

  it("show the node's error", async () => {
    const user = userEvent.setup();
    inject.mockResolvedValue({ ok: false, message: "http is not running at the moment" });
    render(view());
    await user.click(button("http", "act-kill"));
    await user.click(screen.getByTestId("confirm-ok"));
    expect(screen.getByRole("status").textContent).toContain("not running at the moment");
  });

  it.each([
    ["off", info({ faults: "off" }), "no admin token"],
    ["not known", null, "not known yet"],
  ])("are not offered where %s", (_, node, reason) => {
    render(view({ info: node }));
    expect(screen.getByTestId("read-only-note").textContent).toContain(reason);
    expect(button("http", "act-kill")).toHaveProperty("disabled", true);
  });

  it("need the token where the node says so", async () => {
    const node = info({ faults: "token" });
    const { rerender } = render(view({ info: node }));
    expect(screen.queryByTestId("read-only-note")).toBeNull();
    expect(button("http", "act-kill")).toHaveProperty("disabled", true);
    fireEvent.change(screen.getByTestId("token-field"), { target: { value: "s3cret" } });
    expect(onToken).toHaveBeenCalledExactlyOnceWith("s3cret");
    rerender(view({ info: node, token: "s3cret" }));
    expect(button("http", "act-kill")).toHaveProperty("disabled", false);
    expect(sessionStorage).toHaveLength(0);
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
