import { fireEvent, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { info } from "./fixtures.ts";
import { SLOW, beginAnew, button, inject, onToken, view } from "./harness.tsx";

vi.setConfig(SLOW);
beforeEach(beginAnew);

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
