import { type KeyboardEvent, memo } from "react";
import { UNKNOWN, count, rate, span } from "../lib/format.ts";
import type { Actor } from "../lib/wire.ts";
import { Mark, Twisty } from "./marks.tsx";
import { share } from "./model/stages.ts";
import type { TreeRow } from "./model/tree.ts";
import { Meter } from "./Meter.tsx";

/** The faults that can be injected. */
export const MODES = ["kill", "panic", "stall"] as const;
export type Mode = (typeof MODES)[number];

/** What a row asks of the tree; the functions stay the same over pictures. */
export interface RowActions {
  onAct: (path: string, mode: Mode) => void;
  onKey: (path: string, event: KeyboardEvent) => void;
  onFocus: (path: string) => void;
  onFold: (path: string) => void;
}

/** What a row shows, as it is shown: it is drawn again only when one of these changes. */
export interface RowFace {
  path: string;
  name: string;
  level: number;
  position: number;
  siblings: number;
  /** Null for a worker and for a supervisor without children. */
  open: boolean | null;
  troubledBelow: number;
  strategy: string | null;
  state: Actor["state"];
  generation: number;
  restarts: string;
  uptime: string;
  mailbox: string;
  handled: string;
  inFlight: string;
  fill: number | null;
  failure: string | null;
}

/** The face of a row. */
export function faceOf(row: TreeRow): RowFace {
  const { actor } = row;
  const isSupervisor = actor.kind === "supervisor";
  const fill = share(actor.in_flight, actor.limit);
  const limit = actor.limit === null ? "" : ` of ${count(actor.limit)}`;
  return {
    path: actor.path,
    name: row.name,
    level: row.level,
    position: row.position,
    siblings: row.siblings,
    open: row.hasChildren ? !row.folded : null,
    troubledBelow: row.troubledBelow,
    strategy: isSupervisor ? strategyText(actor.strategy) : null,
    state: actor.state,
    generation: actor.generation,
    restarts: count(actor.restarts),
    uptime: actor.state === "running" ? span(actor.uptime_seconds) : UNKNOWN,
    mailbox: actor.state === "running" ? count(actor.mailbox) : UNKNOWN,
    handled: isSupervisor ? "" : rate(actor.handled_per_second),
    inFlight: actor.limit === null && actor.in_flight === 0 ? "" : `${count(actor.in_flight)}${limit}`,
    // In steps of a hundredth: finer ones cannot be seen, and would draw the row again.
    fill: fill === null ? null : Math.round(fill * 100) / 100,
    failure: actor.last_failure,
  };
}

function strategyText(strategy: string | null): string {
  return (strategy ?? "supervisor").replaceAll("_", " ");
}

interface Props {
  face: RowFace;
  isTabStop: boolean;
  isBlocked: boolean;
  actions: RowActions;
}

/** One actor. */
export const ActorRow = memo(
  function ActorRow({ face, isTabStop, isBlocked, actions }: Props) {
    return (
      <tr
        role="row"
        className={`node-row node-row-${face.state}`}
        data-testid={`actor-row-${face.path}`}
        data-path={face.path}
        data-state={face.state}
        data-generation={face.generation}
        aria-level={face.level}
        aria-posinset={face.position}
        aria-setsize={face.siblings}
        aria-expanded={face.open ?? undefined}
        tabIndex={isTabStop ? 0 : -1}
        onFocus={() => actions.onFocus(face.path)}
        onKeyDown={(event) => {
          if (event.target === event.currentTarget) actions.onKey(face.path, event);
        }}
      >
        <NameCell face={face} onFold={actions.onFold} />
        <td role="gridcell" className="node-cell-state">
          <span className={`node-state node-state-${face.state}`}>
            <Mark shape={face.state} />
            {face.state}
          </span>
        </td>
        <NumberCell label="gen" text={String(face.generation)} />
        <NumberCell label="restarts" text={face.restarts} className="node-cell-restarts" />
        <NumberCell label="up" text={face.uptime} className="node-cell-uptime" />
        <NumberCell label="mailbox" text={face.mailbox} />
        <NumberCell label="handled/s" text={face.handled} />
        <td role="gridcell" className="node-num node-cell-load" data-label="in flight">
          {face.inFlight}
          {face.fill !== null && <Meter share={face.fill} />}
        </td>
        <td role="gridcell" className="node-cell-failure" title={face.failure ?? undefined}>
          {face.failure ?? <span className="node-faint">none</span>}
        </td>
        <ActionCell face={face} isTabStop={isTabStop} isBlocked={isBlocked} onAct={actions.onAct} />
      </tr>
    );
  },
  (a, b) =>
    a.isTabStop === b.isTabStop &&
    a.isBlocked === b.isBlocked &&
    a.actions === b.actions &&
    isSameFace(a.face, b.face),
);

/** Whether two faces show the same. */
export function isSameFace(a: RowFace, b: RowFace): boolean {
  return (Object.keys(a) as (keyof RowFace)[]).every((key) => a[key] === b[key]);
}

function NameCell({ face, onFold }: { face: RowFace; onFold: RowActions["onFold"] }) {
  return (
    <td role="gridcell" className="node-cell-name">
      <span
        className="node-name"
        style={{ paddingInlineStart: `calc(${face.level - 1} * var(--node-indent))` }}
      >
        {face.open === null ? (
          <span className="node-twisty" />
        ) : (
          <button
            type="button"
            className="node-fold"
            tabIndex={-1}
            aria-label={`${face.open ? "Fold" : "Unfold"} ${face.path}`}
            onClick={() => onFold(face.path)}
          >
            <Twisty open={face.open} />
          </button>
        )}
        <span className="node-name-text" title={face.path}>
          {face.name}
        </span>
        {face.strategy !== null && <span className="node-strategy">{face.strategy}</span>}
        {face.troubledBelow > 0 && (
          <span className="node-trouble">{face.troubledBelow} below not running</span>
        )}
      </span>
    </td>
  );
}

function NumberCell({ label, text, className = "" }: { label: string; text: string; className?: string }) {
  return (
    <td role="gridcell" className={`node-num ${className}`} data-label={label}>
      {text}
    </td>
  );
}

const MODE_TEXT: Record<Mode, string> = { kill: "Kill", panic: "Panic", stall: "Stall" };

function ActionCell({
  face,
  isTabStop,
  isBlocked,
  onAct,
}: Omit<Props, "actions"> & Pick<RowActions, "onAct">) {
  return (
    <td role="gridcell" className="node-cell-acts">
      <span className="node-acts">
        {MODES.map((mode) => (
          <button
            key={mode}
            type="button"
            className={`node-act node-act-${mode}`}
            data-testid={`act-${mode}`}
            aria-label={`${MODE_TEXT[mode]} ${face.path}`}
            tabIndex={isTabStop ? 0 : -1}
            disabled={isBlocked}
            onClick={() => onAct(face.path, mode)}
          >
            {MODE_TEXT[mode]}
          </button>
        ))}
      </span>
    </td>
  );
}
