import { act, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Sales } from "../lib/wire.ts";
import { history, sales } from "../testing/fixtures.ts";
import { feedOf } from "../testing/socket.ts";
import { SalesStore } from "./store.ts";
import { useSales } from "./useSales.ts";

/** A frame whose newest order was accepted `ago` milliseconds ago by a node with the page's clock. */
function frameOf(ago: number): Sales {
  const now = Date.now();
  return sales({
    server_timestamp: new Date(now).toISOString(),
    accepted_at: new Date(now - ago).toISOString(),
  });
}

function setUp() {
  const { feed, say } = feedOf<Sales>("/ws/sales");
  const store = new SalesStore(feed, () => Promise.resolve({ ok: true, status: 200, value: history() }));
  feed.start();
  store.start();
  const receive = (ago: number) => act(() => say(frameOf(ago)));
  const paint = () => act(() => vi.advanceTimersByTimeAsync(20));
  return { store, receive, paint };
}

describe("useSales", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it("measures from accepted to painted, from the second frame with a newer order on", async () => {
    const { store, receive, paint } = setUp();
    const { result } = renderHook(() => useSales(store));
    receive(90_000);
    await paint();
    expect(result.current.freshness.last).toBeNull();
    receive(30);
    expect(result.current.freshness.last).toBeNull();
    await paint();
    expect(result.current.freshness.last).toBeGreaterThanOrEqual(30);
    expect(result.current.freshness.last).toBeLessThan(100);
  });

  it("does not count a frame that came before the view", async () => {
    const { store, receive, paint } = setUp();
    receive(500);
    receive(40);
    const { result } = renderHook(() => useSales(store));
    await paint();
    expect(result.current.sales.frame).not.toBeNull();
    expect(result.current.freshness.last).toBeNull();
  });

  it("does not count what comes while the page is hidden", async () => {
    const { store, receive, paint } = setUp();
    const { result } = renderHook(() => useSales(store));
    receive(500);
    vi.spyOn(document, "hidden", "get").mockReturnValue(true);
    receive(40);
    await paint();
    expect(result.current.freshness.last).toBeNull();
  });
});
