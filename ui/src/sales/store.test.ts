import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Answer } from "../lib/api.ts";
import type { History, Sales } from "../lib/wire.ts";
import { history, sales } from "../testing/fixtures.ts";
import { feedOf } from "../testing/socket.ts";
import { HISTORY_EVERY_MS, HISTORY_RETRY_MS, SalesStore } from "./store.ts";

const FAILED: Answer<History> = {
  ok: false,
  message: "no",
  status: null,
  problem: null,
  retryAfterSeconds: null,
};

function setUp(read: () => Promise<Answer<History>>) {
  const { feed, say, lose } = feedOf<Sales>("/ws/sales");
  const store = new SalesStore(feed, read);
  feed.start();
  return { store, say, lose, end: store.start() };
}

describe("SalesStore", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());
  const good = () =>
    vi.fn(() => Promise.resolve<Answer<History>>({ ok: true, status: 200, value: history() }));

  it("puts history and frames together", async () => {
    const { store, say } = setUp(good());
    say(sales());
    await vi.advanceTimersByTimeAsync(0);
    const { series, minutes, frame } = store.getSnapshot();
    expect(series.get(1_795_338_604)).toBe(5);
    expect(series.get(1_795_338_306)).toBeNull();
    expect(minutes?.orders).toHaveLength(60);
    expect(frame?.stored_total).toBe(123456);
  });

  it("reads the history every half minute, and again when the socket comes back", async () => {
    const read = good();
    const { say, lose, end } = setUp(read);
    say(sales());
    await vi.advanceTimersByTimeAsync(0);
    expect(read).toHaveBeenCalledTimes(1);
    for (let at = 0; at < HISTORY_EVERY_MS; at += 1_000) {
      await vi.advanceTimersByTimeAsync(1_000);
      say(sales());
    }
    expect(read).toHaveBeenCalledTimes(2);
    lose();
    await vi.advanceTimersByTimeAsync(1_000);
    say(sales());
    expect(read).toHaveBeenCalledTimes(3);
    end();
    await vi.advanceTimersByTimeAsync(2 * HISTORY_EVERY_MS);
    expect(read).toHaveBeenCalledTimes(3);
  });

  it("reads the history again sooner after a failure", async () => {
    const read = vi.fn(() => Promise.resolve(FAILED));
    const { say, store } = setUp(read);
    say(sales());
    await vi.advanceTimersByTimeAsync(HISTORY_RETRY_MS);
    expect(read).toHaveBeenCalledTimes(2);
    expect(store.getSnapshot().minutes).toBeNull();
  });
});
