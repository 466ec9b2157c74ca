import { useLayoutEffect, useRef, useState } from "react";
import type { Mode } from "./ActorRow.tsx";

/** A fault that waits to be confirmed. */
export interface Wanted {
  path: string;
  mode: Mode;
  millis: number | null;
  isSupervisor: boolean;
}

interface Props {
  wanted: Wanted;
  onConfirm: (neverAgain: boolean) => void;
  onCancel: () => void;
}

const VERB: Record<Mode, string> = { kill: "Kill", panic: "Panic", stall: "Stall" };

function consequence({ mode, millis, isSupervisor }: Wanted): string {
  const below = isSupervisor ? " Everything below it ends and starts again with it." : "";
  switch (mode) {
    case "kill":
      return `It ends at once, in the middle of whatever it awaits; its mailbox is lost. Its supervisor starts it again.${below}`;
    case "panic":
      return `It panics in its next message. Its supervisor starts it again.${below}`;
    case "stall":
      return `It sleeps for ${(millis ?? 0) / 1_000} s in its next message, and orders wait behind it. It is not restarted.`;
  }
}

/** Asks whether a fault is meant. */
export function ConfirmFault({ wanted, onConfirm, onCancel }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const ok = useRef<HTMLButtonElement>(null);
  const [never, setNever] = useState(false);
  // Before it leaves the document: only a dialog that is closed there gives the focus back to what opened it.
  useLayoutEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    ok.current?.focus();
    return () => shown?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      className="node-confirm"
      data-testid="confirm-dialog"
      aria-labelledby="node-confirm-title"
      aria-describedby="node-confirm-text"
      onCancel={(event) => {
        event.preventDefault();
        onCancel();
      }}
    >
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          onConfirm(never);
        }}
      >
        <h2 id="node-confirm-title">
          {VERB[wanted.mode]} <code>{wanted.path}</code>?
        </h2>
        <p id="node-confirm-text">{consequence(wanted)}</p>
        <label className="node-field">
          <input
            type="checkbox"
            data-testid="confirm-never"
            checked={never}
            onChange={(event) => setNever(event.target.checked)}
          />
          Don’t ask again this session
        </label>
        <div className="node-confirm-acts">
          <button type="button" className="button" data-testid="confirm-cancel" onClick={onCancel}>
            Cancel
          </button>
          <button ref={ok} type="submit" className="button node-danger" data-testid="confirm-ok">
            {VERB[wanted.mode]}
          </button>
        </div>
      </form>
    </dialog>
  );
}
