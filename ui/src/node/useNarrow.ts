import { useSyncExternalStore } from "react";

/** Below this the log's rows have two lines; node.css has the same bound. */
const NARROW = "(max-width: 720px)";

const query = () => (typeof matchMedia === "function" ? matchMedia(NARROW) : null);

function subscribe(listener: () => void): () => void {
  const media = query();
  media?.addEventListener("change", listener);
  return () => media?.removeEventListener("change", listener);
}

/** Whether the page is narrow. */
export function useNarrow(): boolean {
  return useSyncExternalStore(subscribe, () => query()?.matches ?? false);
}
