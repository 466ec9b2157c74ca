import { useId } from "react";
import type { NodeInfo } from "../lib/wire.ts";

/** The bounds of a stall, in seconds. */
export const STALL_SECONDS = { min: 0.001, max: 5, usual: 1 } as const;

/** What came of the last fault that was asked for. */
export type Outcome = { tone: "busy" | "good" | "bad"; text: string } | null;

interface Props {
  info: NodeInfo | null;
  token: string;
  onToken: (token: string) => void;
  stall: string;
  onStall: (seconds: string) => void;
  asks: boolean;
  onAsks: (asks: boolean) => void;
  outcome: Outcome;
}

/** Why no fault can be injected; null where one can. */
export function blockedReason(info: NodeInfo | null, token: string): string | null {
  if (info === null) return "Read-only: what this node allows is not known yet.";
  if (info.faults === "off") {
    return "Read-only: fault injection is off, as this node listens beyond loopback and has no admin token.";
  }
  return info.faults === "token" && token.trim() === "" ? "Enter the admin token to inject faults." : null;
}

/** The milliseconds of a stall as typed in seconds; null where it is out of bounds. */
export function stallMillis(seconds: string): number | null {
  const value = Number(seconds.replace(",", "."));
  const isWithin = seconds.trim() !== "" && value >= STALL_SECONDS.min && value <= STALL_SECONDS.max;
  return isWithin ? Math.round(value * 1_000) : null;
}

/** What holds for all faults: whether they are allowed, how long a stall is, whether to ask, and what came of the last. */
export function FaultControls(props: Props) {
  const { info, token, onToken, stall, onStall, asks, onAsks, outcome } = props;
  const id = useId();
  const reason = blockedReason(info, token);
  const isReadOnly = info === null || info.faults === "off";
  const isStallWrong = stallMillis(stall) === null;
  return (
    <div className="node-controls">
      {reason !== null && (
        <p className="node-blocked" {...(isReadOnly ? { "data-testid": "read-only-note" } : {})}>
          {reason}
        </p>
      )}
      {info?.faults === "token" && (
        <form onSubmit={(event) => event.preventDefault()}>
          <label className="node-field">
            Admin token
            <input
              type="password"
              data-testid="token-field"
              autoComplete="off"
              spellCheck={false}
              value={token}
              onChange={(event) => onToken(event.target.value)}
            />
          </label>
        </form>
      )}
      {!isReadOnly && (
        <>
          <label className="node-field">
            Stall for
            <input
              className="node-stall"
              inputMode="decimal"
              value={stall}
              aria-invalid={isStallWrong}
              aria-describedby={`${id}-stall`}
              onChange={(event) => onStall(event.target.value)}
            />
            s
          </label>
          <span id={`${id}-stall`} className={isStallWrong ? "node-wrong" : "sr-only"}>
            {STALL_SECONDS.min} to {STALL_SECONDS.max} seconds
          </span>
          <label className="node-field">
            <input type="checkbox" checked={asks} onChange={(event) => onAsks(event.target.checked)} />
            Ask before each fault
          </label>
        </>
      )}
      <p className={`node-outcome node-outcome-${outcome?.tone ?? "none"}`} role="status">
        {outcome?.text ?? ""}
      </p>
    </div>
  );
}
