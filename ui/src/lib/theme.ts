/** Where a choice that differs from the system's is remembered. */
const KEY = "coffee-rt-theme";

/** Light or dark. */
export type Theme = "light" | "dark";

/** The theme to use: the viewer's choice, else the system's. */
export function resolve(chosen: string | null, systemDark: boolean): Theme {
  if (chosen === "light" || chosen === "dark") return chosen;
  return systemDark ? "dark" : "light";
}

/** The theme of the page; a store for `useSyncExternalStore`. */
class ThemeStore {
  private readonly listeners = new Set<() => void>();
  private readonly system = window.matchMedia?.("(prefers-color-scheme: dark)");

  constructor() {
    this.system?.addEventListener("change", () => this.apply());
    this.apply();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly getSnapshot = (): Theme => resolve(remembered(), this.system?.matches ?? false);

  /** The other theme; where that is the system's it is followed again. */
  toggle(): void {
    const next = this.getSnapshot() === "dark" ? "light" : "dark";
    remember(next === resolve(null, this.system?.matches ?? false) ? null : next);
    this.apply();
  }

  private apply(): void {
    document.documentElement.dataset["theme"] = this.getSnapshot();
    for (const listener of this.listeners) listener();
  }
}

function remembered(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return chosen;
  }
}

// Where the browser keeps nothing for the page, the choice lasts as long as the page.
let chosen: Theme | null = null;

function remember(theme: Theme | null): void {
  chosen = theme;
  try {
    if (theme === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // It is kept above.
  }
}

/** The one theme of the page. */
export const theme = new ThemeStore();
