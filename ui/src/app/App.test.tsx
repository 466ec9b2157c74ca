import { act, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Picture, Sales } from "../lib/wire.ts";
import { SalesStore } from "../sales/store.ts";
import { violations } from "../testing/axe.ts";
import { history, nodeInfo, picture, sales } from "../testing/fixtures.ts";
import { feedOf } from "../testing/socket.ts";
import { App } from "./App.tsx";
import { address } from "./routes.ts";
import { InfoStore } from "./sources.ts";

function good<T>(value: T) {
  return vi.fn(() => Promise.resolve({ ok: true, status: 200, value } as const));
}

async function show() {
  const one = feedOf<Sales>("/ws/sales");
  const other = feedOf<Picture>("/ws/actors");
  const readInfo = good(nodeInfo());
  const store = new SalesStore(one.feed, good(history()));
  const info = new InfoStore(other.feed, readInfo);
  store.start();
  info.start();
  one.feed.start();
  other.feed.start();
  const shown = render(<App sources={{ sales: one.feed, actors: other.feed, store, info }} />);
  await act(() => Promise.resolve());
  return { ...shown, one, other, readInfo };
}

const badge = () => screen.getByTestId("conn-badge");

describe("App", () => {
  beforeEach(() => {
    window.history.replaceState(null, "", "/");
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("no node")));
  });
  afterEach(() => vi.unstubAllGlobals());

  it("is live once both feeds are, and says so", async () => {
    const { one, other } = await show();
    expect(badge().dataset["state"]).toBe("connecting");
    act(() => one.say(sales()));
    expect(badge().dataset["state"]).toBe("connecting");
    act(() => other.say(picture()));
    expect(badge().dataset["state"]).toBe("live");
    act(() => one.lose());
    expect(badge().dataset["state"]).toBe("reconnecting");
    expect(badge().textContent).toMatch(/as of/);
    // What was known stays.
    expect(screen.getByTestId("stored-total").textContent).toBe("123,456");
  });

  it("goes to each view without a new page, back as well", async () => {
    const { one, other } = await show();
    act(() => one.say(sales()));
    act(() => other.say(picture()));
    const hands = userEvent.setup();
    await hands.click(screen.getByTestId("nav-sales"));
    expect(location.pathname).toBe("/sales");
    expect(document.title).toBe("Sales · Coffee-RT");
    expect(screen.getByTestId("nav-sales").getAttribute("aria-current")).toBe("page");
    expect(document.activeElement).toBe(screen.getByRole("main"));
    expect(screen.getByTestId("chart-hours")).toBeTruthy();
    await hands.click(screen.getByTestId("nav-till"));
    expect(await screen.findByTestId("till-send")).toBeTruthy();
    await hands.click(screen.getByTestId("nav-docs"));
    expect(await screen.findByTestId("docs-view")).toBeTruthy();
    await hands.click(screen.getByTestId("nav-node"));
    expect(await screen.findByTestId("event-log")).toBeTruthy();
  });

  it("says where there is no view", async () => {
    await show();
    act(() => address.go("/nowhere"));
    expect(screen.getByRole("heading", { level: 1 }).textContent).toBe("Nothing here");
  });

  it("reads the node's description again when its feed comes back", async () => {
    const { other, readInfo } = await show();
    act(() => other.say(picture()));
    expect(readInfo).toHaveBeenCalledTimes(1);
    vi.useFakeTimers();
    act(() => other.lose());
    act(() => vi.advanceTimersByTime(1_000));
    act(() => other.say(picture()));
    vi.useRealTimers();
    expect(readInfo).toHaveBeenCalledTimes(2);
  });

  it("switches the theme and remembers it", async () => {
    await show();
    const root = document.documentElement;
    expect(root.dataset["theme"]).toBe("light");
    await userEvent.click(screen.getByTestId("theme-switch"));
    expect(root.dataset["theme"]).toBe("dark");
    expect(localStorage.getItem("coffee-rt-theme")).toBe("dark");
    await userEvent.click(screen.getByTestId("theme-switch"));
    expect(root.dataset["theme"]).toBe("light");
    expect(localStorage.getItem("coffee-rt-theme")).toBeNull();
  });

  it("has no axe violation at a glance", async () => {
    const { container, one, other } = await show();
    expect(await violations(container)).toEqual([]);
    act(() => one.say(sales()));
    act(() => other.say(picture()));
    expect(await violations(container)).toEqual([]);
  });
});
