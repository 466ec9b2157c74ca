import { lazy } from "react";

const loadNode = () => import("../node/NodeView.tsx");
const loadTill = () => import("../till/TillView.tsx");
const loadDocs = () => import("../docs/DocsView.tsx");

/** The node's view. */
export const NodeView = lazy(async () => ({ default: (await loadNode()).NodeView }));
/** The till. */
export const TillView = lazy(async () => ({ default: (await loadTill()).TillView }));
/** The reference of the node's answers. */
export const DocsView = lazy(async () => ({ default: (await loadDocs()).DocsView }));

/** Loads all views once the first one is there: they are to open also while the node is away. */
export function loadAllViews(): void {
  for (const load of [loadNode, loadTill, loadDocs]) {
    // A view that could not be loaded now is loaded when it is opened.
    load().catch(() => undefined);
  }
}
