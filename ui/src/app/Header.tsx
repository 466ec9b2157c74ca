import { useSyncExternalStore } from "react";
import type { Feed } from "../lib/feed.ts";
import { theme } from "../lib/theme.ts";
import { connectionOf, connectionText } from "./connection.ts";
import { Cup, Moon, Sun } from "./icons.tsx";
import { Link } from "./Link.tsx";
import { ROUTES, type View } from "./routes.ts";
import type { Sources } from "./sources.ts";

/** The top of every view. */
export function Header({ sources, view }: { readonly sources: Sources; readonly view: View | null }) {
  return (
    <header className="header">
      <Link to="/" className="brand">
        <Cup />
        <span>
          Coffee<span className="brand-rt">RT</span>
        </span>
      </Link>
      <nav className="nav" aria-label="Views">
        {ROUTES.map((route) => (
          <Link
            key={route.view}
            to={route.path}
            className="nav-link"
            current={route.view === view}
            testId={`nav-${route.view}`}
          >
            {route.label}
          </Link>
        ))}
      </nav>
      <div className="header-end">
        <ConnectionBadge sources={sources} />
        <ThemeSwitch />
      </div>
    </header>
  );
}

function useFeed<T>(feed: Feed<T>) {
  return useSyncExternalStore(feed.subscribe, feed.getSnapshot);
}

function ConnectionBadge({ sources }: { readonly sources: Sources }) {
  const connection = connectionOf([useFeed(sources.sales), useFeed(sources.actors)]);
  return (
    <span className="conn" role="status" data-testid="conn-badge" data-state={connection.state}>
      <span className="conn-dot" aria-hidden="true" />
      {connectionText(connection)}
    </span>
  );
}

function ThemeSwitch() {
  const now = useSyncExternalStore(theme.subscribe, theme.getSnapshot);
  const label = now === "dark" ? "Use light colours" : "Use dark colours";
  return (
    <button
      type="button"
      className="icon-button"
      data-testid="theme-switch"
      aria-label={label}
      title={label}
      onClick={() => theme.toggle()}
    >
      {now === "dark" ? <Sun /> : <Moon />}
    </button>
  );
}
