import { fireEvent, render, screen } from "@testing-library/react";
import axe from "axe-core";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { recorder } from "../model/record.ts";
import { NodeGlance } from "../NodeGlance.tsx";
import { actors, event, info, picture } from "./fixtures.ts";

/** Rules that ask for what jsdom does not do. */
const NEEDS_LAYOUT = {
  "color-contrast": { enabled: false },
  "label-content-name-mismatch": { enabled: false },
  region: { enabled: false },
};

beforeEach(() => recorder.reset());

describe("the node at a glance", () => {
  it("shows how many actors run, where orders wait, and the last fault", () => {
    const shown = picture(0, {
      actors: actors({ "v1/batcher-0": { state: "restarting", restarts: 2 } }),
      events: [event(1, -10, { path: "v1/batcher-0", kind: "fault", detail: "kill" })],
    });
    render(<NodeGlance picture={shown} live info={info()} onOpen={vi.fn()} />);
    expect(screen.getByText(`${actors().length - 1} of ${actors().length}`)).toBeTruthy();
    expect(screen.getAllByText("nothing waits")).toHaveLength(3);
    expect(screen.getByText(/kill of v1\/batcher-0/)).toBeTruthy();
  });

  it("opens the full view, and leaves other clicks to the browser", () => {
    const onOpen = vi.fn();
    render(<NodeGlance picture={null} live={false} info={null} onOpen={onOpen} />);
    const link = screen.getByRole("link");
    expect(link.getAttribute("href")).toBe("/node");
    // jsdom cannot follow links.
    document.addEventListener("click", (event) => event.preventDefault(), { once: true });
    fireEvent.click(link, { button: 0, ctrlKey: true });
    expect(onOpen).not.toHaveBeenCalled();
    fireEvent.click(link, { button: 0 });
    expect(onOpen).toHaveBeenCalledTimes(1);
  });

  it("has no accessibility violation that can be told without layout", async () => {
    const { container } = render(<NodeGlance picture={picture()} live info={info()} onOpen={vi.fn()} />);
    const result = await axe.run(container, {
      rules: NEEDS_LAYOUT,
    });
    expect(result.violations.map((one) => one.id)).toEqual([]);
  });
});
