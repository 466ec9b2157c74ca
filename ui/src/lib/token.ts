/** For this window only: a token is never kept beyond it. */
const KEY = "coffee-rt-admin-token";

const listeners = new Set<() => void>();
let token = read();

function read(): string {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

/** The admin token that the viewer typed; a store for `useSyncExternalStore`. Empty where there is none. */
export const adminToken = {
  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  getSnapshot: (): string => token,
  set(next: string): void {
    token = next;
    try {
      sessionStorage.setItem(KEY, next);
    } catch {
      // It is kept above as long as the page lives.
    }
    for (const listener of listeners) listener();
  },
};
