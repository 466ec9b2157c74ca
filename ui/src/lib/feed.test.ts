import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Feed, FIRST_WAIT_MS, LONGEST_WAIT_MS, SILENCE_MS, type Socket, waitBefore } from "./feed.ts";

class FakeSocket implements Socket {
  onmessage: Socket["onmessage"] = null;
  onclose: Socket["onclose"] = null;
  onerror: Socket["onerror"] = null;
  close = vi.fn();

  say(text: string): void {
    this.onmessage?.call(this as unknown as WebSocket, new MessageEvent("message", { data: text }));
  }

  end(): void {
    this.onclose?.call(this as unknown as WebSocket, new CloseEvent("close"));
  }
}

function setUp() {
  const sockets: FakeSocket[] = [];
  const open = vi.fn(() => {
    const socket = new FakeSocket();
    sockets.push(socket);
    return socket;
  });
  const feed = new Feed<{ n: number }>("/ws/x", { open, now: () => 77, random: () => 1 });
  const last = () => sockets.at(-1) ?? expect.fail("no socket was opened");
  return { feed, open, last };
}

describe("Feed", () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it("is live from its first frame on", () => {
    const { feed, last } = setUp();
    const heard = vi.fn();
    feed.subscribe(heard);
    feed.start();
    expect(feed.getSnapshot().state).toBe("connecting");
    last().say('{"n":1}');
    expect(feed.getSnapshot()).toEqual({ state: "live", frame: { n: 1 }, receivedAt: 77, connections: 1 });
    expect(heard).toHaveBeenCalledTimes(2);
  });

  it("keeps the last frame while it reconnects, and counts the connections", () => {
    const { feed, open, last } = setUp();
    feed.start();
    last().say('{"n":1}');
    last().end();
    expect(feed.getSnapshot()).toMatchObject({ state: "reconnecting", frame: { n: 1 }, connections: 1 });
    vi.advanceTimersByTime(FIRST_WAIT_MS);
    expect(open).toHaveBeenCalledTimes(2);
    expect(feed.getSnapshot().state).toBe("reconnecting");
    last().say('{"n":2}');
    expect(feed.getSnapshot()).toMatchObject({ state: "live", frame: { n: 2 }, connections: 2 });
  });

  it("gives a silent socket up, and hears nothing more from it", () => {
    const { feed, last } = setUp();
    feed.start();
    const silent = last();
    silent.say('{"n":1}');
    vi.advanceTimersByTime(SILENCE_MS);
    expect(silent.close).toHaveBeenCalled();
    silent.say('{"n":9}');
    expect(feed.getSnapshot()).toMatchObject({ state: "reconnecting", frame: { n: 1 } });
  });

  it("passes over what is no frame", () => {
    const { feed, last } = setUp();
    feed.start();
    for (const text of ["", "7", "null", "{"]) last().say(text);
    expect(feed.getSnapshot()).toMatchObject({ state: "connecting", frame: null });
  });

  it("stops, and starts again", () => {
    const { feed, open, last } = setUp();
    feed.start();
    last().say('{"n":1}');
    feed.stop();
    vi.advanceTimersByTime(60_000);
    expect(open).toHaveBeenCalledTimes(1);
    expect(feed.getSnapshot()).toMatchObject({ state: "stopped", frame: { n: 1 } });
    feed.start();
    expect(open).toHaveBeenCalledTimes(2);
  });

  it("tries at once when the network comes back", () => {
    const { feed, open, last } = setUp();
    feed.start();
    last().end();
    feed.retryNow();
    feed.retryNow();
    expect(open).toHaveBeenCalledTimes(2);
  });
});

describe("waitBefore", () => {
  it("doubles up to a limit, and is spread over half of it", () => {
    expect(waitBefore(0, 1)).toBe(FIRST_WAIT_MS);
    expect(waitBefore(2, 1)).toBe(FIRST_WAIT_MS * 4);
    expect(waitBefore(2, 0)).toBe(FIRST_WAIT_MS * 2);
    expect(waitBefore(5_000, 1)).toBe(LONGEST_WAIT_MS);
  });
});
