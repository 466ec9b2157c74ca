import { type KeyboardEvent, useCallback, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { Actor } from "../lib/wire.ts";
import { ActorRow, type Mode, type RowActions, faceOf } from "./ActorRow.tsx";
import { rowsOf, tabStop, treeStep } from "./model/tree.ts";

const COLUMNS = [
  ["Actor", ""],
  ["State", ""],
  ["Gen", "node-num"],
  ["Restarts", "node-num"],
  ["Uptime", "node-num node-cell-uptime"],
  ["Mailbox", "node-num"],
  ["Handled/s", "node-num"],
  ["In flight", "node-num"],
  ["Last failure", "node-cell-failure"],
  ["Inject a fault", "node-cell-acts"],
] as const;

interface Props {
  actors: readonly Actor[];
  isBlocked: boolean;
  onAct: (path: string, mode: Mode) => void;
}

/** The supervision tree as a tree grid: arrows move, left and right fold, tab goes on to the row's buttons. */
export function ActorTree({ actors, isBlocked, onAct }: Props) {
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const [chosen, setChosen] = useState<string | null>(null);
  const rows = useMemo(() => rowsOf(actors, folded), [actors, folded]);
  const table = useRef<HTMLTableElement>(null);
  const latest = useRef({ rows, onAct });
  useLayoutEffect(() => {
    latest.current = { rows, onAct };
  }, [rows, onAct]);

  const onFold = useCallback((path: string) => setFolded((before) => toggled(before, path)), []);
  const onKey = useCallback(
    (path: string, event: KeyboardEvent) => {
      const step = treeStep(latest.current.rows, path, event.key);
      if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      if ("focus" in step) focusRow(table.current, step.focus);
      else onFold("fold" in step ? step.fold : step.unfold);
    },
    [onFold],
  );
  const actions = useMemo<RowActions>(
    () => ({ onAct: (path, mode) => latest.current.onAct(path, mode), onKey, onFocus: setChosen, onFold }),
    [onKey, onFold],
  );
  const stop = tabStop(rows, chosen);

  return (
    <div className="node-tree-frame">
      <table ref={table} role="treegrid" aria-label="Supervision tree" className="node-tree">
        <thead role="rowgroup">
          <tr role="row">
            {COLUMNS.map(([title, className]) => (
              <th key={title} role="columnheader" scope="col" className={className}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <ActorRow
              key={row.actor.path}
              face={faceOf(row)}
              isTabStop={row.actor.path === stop}
              isBlocked={isBlocked}
              actions={actions}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function toggled(paths: ReadonlySet<string>, path: string): ReadonlySet<string> {
  const next = new Set(paths);
  if (!next.delete(path)) next.add(path);
  return next;
}

function focusRow(table: HTMLTableElement | null, path: string): void {
  const rows = table?.querySelectorAll<HTMLElement>("tr[data-path]") ?? [];
  for (const row of rows) if (row.dataset["path"] === path) row.focus();
}
