/** The views of the page. */
export type View = "overview" | "sales" | "node" | "till" | "docs";

/** A view, where it is, and what it is called. */
export interface Route {
  readonly view: View;
  readonly path: string;
  readonly label: string;
}

/** All views in the order of the navigation. */
export const ROUTES: readonly Route[] = [
  { view: "overview", path: "/", label: "Overview" },
  { view: "sales", path: "/sales", label: "Sales" },
  { view: "node", path: "/node", label: "Node" },
  { view: "till", path: "/till", label: "Till" },
  { view: "docs", path: "/docs", label: "API" },
];

/** The route of a path; null where there is none. */
export function routeOf(path: string): Route | null {
  const bare = path.length > 1 ? path.replace(/\/+$/, "") : path;
  return ROUTES.find((route) => route.path === bare) ?? null;
}

const listeners = new Set<() => void>();
window.addEventListener("popstate", tell);

function tell(): void {
  for (const listener of listeners) listener();
}

/** The page's address; a store for `useSyncExternalStore`. */
export const address = {
  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  getSnapshot: (): string => location.pathname,
  /** Goes to another view without a new page. */
  go(path: string): void {
    if (path !== location.pathname) history.pushState(null, "", path);
    tell();
    window.scrollTo(0, 0);
  },
};
