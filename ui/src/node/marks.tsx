import type { ReactNode } from "react";
import type { Actor } from "../lib/wire.ts";
import type { Health } from "./model/stages.ts";

/** The shape of a mark: states are told apart without colour. */
export type MarkShape = Actor["state"] | Health;

const SHAPES: Record<MarkShape, { tone: string; shape: ReactNode }> = {
  running: { tone: "good", shape: <circle cx="6" cy="6" r="4.5" /> },
  good: { tone: "good", shape: <circle cx="6" cy="6" r="4.5" /> },
  starting: { tone: "unknown", shape: <circle cx="6" cy="6" r="3.8" className="node-mark-hollow" /> },
  absent: { tone: "unknown", shape: <circle cx="6" cy="6" r="3.8" className="node-mark-hollow" /> },
  restarting: { tone: "bad", shape: <path d="M6 1 11.5 10.8H.5z" /> },
  down: { tone: "bad", shape: <path d="M6 1 11.5 10.8H.5z" /> },
  partly: { tone: "warn", shape: <path d="M6 .6 11.4 6 6 11.4.6 6z" /> },
  stopped: { tone: "unknown", shape: <rect x="2" y="2" width="8" height="8" /> },
};

/** A mark of a state: circle, triangle, diamond, square or ring. */
export function Mark({ shape }: { shape: MarkShape }) {
  const { tone, shape: drawn } = SHAPES[shape];
  return (
    <svg className={`node-mark node-tone-${tone}`} viewBox="0 0 12 12" aria-hidden="true">
      {drawn}
    </svg>
  );
}

/** A triangle that points right, or down when open. */
export function Twisty({ open }: { open: boolean }) {
  return (
    <svg className="node-twisty" viewBox="0 0 12 12" aria-hidden="true">
      <path d={open ? "M2 4.2 6 8.2l4-4" : "M4.2 2l4 4-4 4"} />
    </svg>
  );
}
