import { useLayoutEffect, useRef, useSyncExternalStore } from "react";
import { pageNow } from "../lib/clock.ts";
import type { FreshnessSummary } from "./freshness.ts";
import type { SalesSnapshot, SalesStore } from "./store.ts";

/** What a view of the sales shows. A view that uses it shows the frames, so it measures how fresh they are. */
export function useSales(store: SalesStore): { sales: SalesSnapshot; freshness: FreshnessSummary } {
  const sales = useSyncExternalStore(store.subscribe, store.getSnapshot);
  const { freshness } = store;
  const summary = useSyncExternalStore(freshness.subscribe, freshness.getSnapshot);
  const shown = useRef(sales.frame);

  useLayoutEffect(() => {
    const { frame, measured } = sales;
    // The frame that was there before the view was not late: nobody looked.
    if (!frame || frame === shown.current) return undefined;
    shown.current = frame;
    // A hidden page paints nothing, until it is shown much later.
    if (!measured || document.hidden) return undefined;
    const request = requestAnimationFrame(() => freshness.painted(frame, pageNow()));
    const cancel = () => cancelAnimationFrame(request);
    document.addEventListener("visibilitychange", cancel, { once: true });
    return () => document.removeEventListener("visibilitychange", cancel);
  }, [sales, freshness]);

  return { sales, freshness: summary };
}
