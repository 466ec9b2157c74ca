import { useCallback, useState } from "react";
import type { Actor } from "../lib/wire.ts";
import type { Mode } from "./ActorRow.tsx";
import type { Wanted } from "./ConfirmFault.tsx";
import { type Outcome, STALL_SECONDS, stallMillis } from "./FaultControls.tsx";

/** Asks the node for a fault. */
export type Inject = (
  path: string,
  fault: { mode: Mode; millis?: number },
) => Promise<{ ok: true } | { ok: false; message: string }>;

/** In this session's storage where faults are not to be confirmed. */
const NEVER_ASK_KEY = "coffee-rt.node.never-ask";
const PAST: Record<Mode, string> = { kill: "killed", panic: "told to panic", stall: "told to stall" };

/** Faults from the click to what came of them. */
export function useFaults(actors: readonly Actor[], inject: Inject) {
  const [wanted, setWanted] = useState<Wanted | null>(null);
  const [outcome, setOutcome] = useState<Outcome>(null);
  const [asks, setAsks] = useState(readAsks);
  const [stall, setStall] = useState<string>(String(STALL_SECONDS.usual));

  const changeAsks = useCallback((next: boolean) => {
    setAsks(next);
    writeAsks(next);
  }, []);

  const run = useCallback(
    async (fault: Wanted) => {
      setWanted(null);
      setOutcome({ tone: "busy", text: `${fault.mode} of ${fault.path} …` });
      const answer = await inject(fault.path, {
        mode: fault.mode,
        ...(fault.millis === null ? {} : { millis: fault.millis }),
      }).catch((error: unknown) => ({ ok: false as const, message: String(error) }));
      setOutcome(
        answer.ok
          ? { tone: "good", text: `${fault.path} was ${PAST[fault.mode]}.` }
          : { tone: "bad", text: `${fault.mode} of ${fault.path} failed: ${answer.message}` },
      );
    },
    [inject],
  );

  const act = useCallback(
    (path: string, mode: Mode) => {
      const millis = mode === "stall" ? stallMillis(stall) : null;
      if (mode === "stall" && millis === null) {
        setOutcome({
          tone: "bad",
          text: `A stall takes ${STALL_SECONDS.min} to ${STALL_SECONDS.max} seconds.`,
        });
        return;
      }
      const isSupervisor = actors.find((actor) => actor.path === path)?.kind === "supervisor";
      const fault = { path, mode, millis, isSupervisor };
      if (asks) setWanted(fault);
      else void run(fault);
    },
    [actors, asks, run, stall],
  );

  const confirm = useCallback(
    (neverAgain: boolean) => {
      if (neverAgain) changeAsks(false);
      if (wanted) void run(wanted);
    },
    [changeAsks, run, wanted],
  );

  return { wanted, cancel: () => setWanted(null), confirm, act, outcome, asks, changeAsks, stall, setStall };
}

function readAsks(): boolean {
  try {
    return sessionStorage.getItem(NEVER_ASK_KEY) === null;
  } catch {
    return true; // Storage may be forbidden; asking is the safe side.
  }
}

function writeAsks(asks: boolean): void {
  try {
    if (asks) sessionStorage.removeItem(NEVER_ASK_KEY);
    else sessionStorage.setItem(NEVER_ASK_KEY, "1");
  } catch {
    // Then it holds for as long as the page.
  }
}
