import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Answer } from "../lib/api.ts";
import { Feed, type Socket } from "../lib/feed.ts";
import type { History, Sales } from "../lib/wire.ts";
import { history, sales } from "../testing/fixtures.ts";
import { HISTORY_EVERY_MS, HISTORY_RETRY_MS, SalesStore } from "./store.ts";

const FAILED: Answer<History> = {
  ok: false,
  message: "no",
  status: null,
  problem: null,
  retryAfterSeconds: null,
};

function setUp(read: () => Promise<Answer<History>>) {
  const socket: Socket = { onmessage: null, onclose: null, onerror: null, close: () => undefined };
  const feed = new Feed<Sales>("/ws/sales", { open: () => socket, now: () => Date.now(), random: () => 0 });
  const store = new SalesStore(feed, read);
  feed.start();
  const end = store.start();
  const say = (frame: Sales) =>
    socket.onmessage?.call(socket as WebSocket, new MessageEvent("message", { data: JSON.stringify(frame) }));
  return {
    feed,
    store,
    end,
    say,
    lose: () => socket.onclose?.call(socket as WebSocket, new CloseEvent("close")),
  };
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
