import { describe, expect, it } from "vitest";
import type { FeedSnapshot, FeedState } from "../lib/feed.ts";
import { resolve } from "../lib/theme.ts";
import { connectionOf, connectionText } from "./connection.ts";
import { routeOf } from "./routes.ts";

const feed = (state: FeedState, receivedAt: number | null = null): FeedSnapshot<unknown> => ({
  state,
  frame: null,
  receivedAt,
  connections: 0,
});

describe("connection", () => {
  it("is as good as the worst feed", () => {
    expect(connectionOf([feed("live", 5), feed("live", 6)])).toEqual({ state: "live", staleSince: null });
    expect(connectionOf([feed("live", 5), feed("connecting")]).state).toBe("connecting");
    expect(connectionOf([feed("connecting"), feed("reconnecting", 9)])).toEqual({
      state: "reconnecting",
      staleSince: 9,
    });
    expect(connectionOf([feed("stopped", 4), feed("reconnecting", 9)])).toEqual({
      state: "stopped",
      staleSince: 4,
    });
  });

  it("says since when figures may be old, where there are any", () => {
    expect(connectionText({ state: "live", staleSince: null })).toBe("Live");
    expect(connectionText({ state: "connecting", staleSince: null })).toBe("Connecting");
    expect(connectionText({ state: "reconnecting", staleSince: null })).toBe("Reconnecting");
    expect(connectionText({ state: "reconnecting", staleSince: 0 })).toMatch(
      /^Reconnecting, as of \d\d:\d\d:00$/,
    );
    expect(connectionText({ state: "stopped", staleSince: 0 })).toMatch(/^Stopped, as of /);
  });
});

describe("routes", () => {
  it("are found with and without a slash at the end", () => {
    expect(routeOf("/")?.view).toBe("overview");
    expect(routeOf("/node")?.view).toBe("node");
    expect(routeOf("/node/")?.view).toBe("node");
    expect(routeOf("/nodes")).toBeNull();
  });
});

describe("theme", () => {
  it("is the viewer's choice, else the system's", () => {
    expect(resolve("light", true)).toBe("light");
    expect(resolve("dark", false)).toBe("dark");
    expect(resolve(null, true)).toBe("dark");
    expect(resolve("purple", false)).toBe("light");
  });
});
