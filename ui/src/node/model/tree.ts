import type { Actor } from "../../lib/wire.ts";

/** A row of the tree as it is shown. */
export interface TreeRow {
  actor: Actor;
  /** 1 for the root. */
  level: number;
  /** The last part of the path. */
  name: string;
  hasChildren: boolean;
  folded: boolean;
  /** 1 for the first among its siblings. */
  position: number;
  siblings: number;
  /** Actors below it that do not run. */
  troubledBelow: number;
}

/** What a key asks of the tree. */
export type TreeStep = { focus: string } | { fold: string } | { unfold: string } | null;

/** The rows that are shown: parents before children, nothing below what is folded. */
export function rowsOf(actors: readonly Actor[], folded: ReadonlySet<string>): TreeRow[] {
  const known = new Set(actors.map((actor) => actor.path));
  const children = new Map<string | null, Actor[]>();
  for (const actor of actors) {
    // A parent that is missing from the picture must not hide its children.
    const parent = actor.parent !== null && known.has(actor.parent) ? actor.parent : null;
    const siblings = children.get(parent);
    if (siblings) siblings.push(actor);
    else children.set(parent, [actor]);
  }
  const rows: TreeRow[] = [];
  const visit = (parent: string | null, level: number) => {
    const siblings = children.get(parent) ?? [];
    siblings.forEach((actor, index) => {
      const hasChildren = children.has(actor.path);
      const isFolded = hasChildren && folded.has(actor.path);
      rows.push({
        actor,
        level,
        name: nameIn(actor.path, actor.parent),
        hasChildren,
        folded: isFolded,
        position: index + 1,
        siblings: siblings.length,
        troubledBelow: isFolded ? troubledBelow(children, actor.path) : 0,
      });
      if (hasChildren && !isFolded) visit(actor.path, level + 1);
    });
  };
  visit(null, 1);
  return rows;
}

function nameIn(path: string, parent: string | null): string {
  return parent !== null && path.startsWith(`${parent}/`) ? path.slice(parent.length + 1) : path;
}

function troubledBelow(children: ReadonlyMap<string | null, Actor[]>, path: string): number {
  const below = children.get(path) ?? [];
  return below.reduce(
    (sum, actor) => sum + (actor.state === "running" ? 0 : 1) + troubledBelow(children, actor.path),
    0,
  );
}

/** What a key does where the row of this path has the focus (WAI-ARIA's tree pattern). */
export function treeStep(rows: readonly TreeRow[], path: string, key: string): TreeStep {
  const at = rows.findIndex((row) => row.actor.path === path);
  const row = rows[at];
  if (!row) return null;
  const focus = (target: TreeRow | undefined): TreeStep => (target ? { focus: target.actor.path } : null);
  switch (key) {
    case "ArrowDown":
      return focus(rows[at + 1]);
    case "ArrowUp":
      return focus(rows[at - 1]);
    case "Home":
      return focus(rows[0]);
    case "End":
      return focus(rows.at(-1));
    case "ArrowRight":
      if (!row.hasChildren) return null;
      return row.folded ? { unfold: path } : focus(rows[at + 1]);
    case "ArrowLeft":
      if (row.hasChildren && !row.folded) return { fold: path };
      return focus(rows.find((other) => other.actor.path === row.actor.parent));
    default:
      return null;
  }
}

/** The row that the tab key reaches: the chosen one while it is shown, else the nearest shown above it. */
export function tabStop(rows: readonly TreeRow[], chosen: string | null): string | null {
  if (chosen !== null) {
    const shown = new Set(rows.map((row) => row.actor.path));
    for (let path = chosen; path !== ""; path = path.slice(0, Math.max(0, path.lastIndexOf("/")))) {
      if (shown.has(path)) return path;
    }
  }
  return rows[0]?.actor.path ?? null;
}
