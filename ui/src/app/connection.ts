import type { FeedSnapshot, FeedState } from "../lib/feed.ts";
import { clockTime } from "../lib/format.ts";

/** What both feeds together are doing. */
export interface Connection {
  readonly state: FeedState;
  /** Since when what is shown may be old, by the page's clock; null where nothing was shown or all is live. */
  readonly staleSince: number | null;
}

const WORST_FIRST: readonly FeedState[] = ["stopped", "reconnecting", "connecting", "live"];

/** The page is as well connected as its worst feed. */
export function connectionOf(feeds: readonly FeedSnapshot<unknown>[]): Connection {
  const state = WORST_FIRST.find((worst) => feeds.some((feed) => feed.state === worst)) ?? "stopped";
  const stale = feeds
    .filter((feed) => feed.state !== "live" && feed.receivedAt !== null)
    .map((feed) => feed.receivedAt ?? 0);
  return { state, staleSince: stale.length === 0 ? null : Math.min(...stale) };
}

/** The connection in words. */
export function connectionText({ state, staleSince }: Connection): string {
  const since = staleSince === null ? "" : `, as of ${clockTime(staleSince)}`;
  switch (state) {
    case "live":
      return "Live";
    case "connecting":
      return "Connecting";
    case "reconnecting":
      return `Reconnecting${since}`;
    case "stopped":
      return `Stopped${since}`;
  }
}
