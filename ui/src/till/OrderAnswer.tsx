import { millis } from "../lib/format.ts";
import type { Outcome } from "./useOrder.ts";

/** The node's answer as it came. */
export function OrderAnswer({ outcome }: { readonly outcome: Outcome | null }) {
  return (
    <div className="till-answer" role="status" data-testid="till-answer">
      {outcome === null ? (
        <p className="empty">The answer will stand here.</p>
      ) : (
        <>
          <p className="num">
            <span className={outcome.status !== null && outcome.status < 300 ? "till-good" : "till-bad"}>
              {outcome.status ?? "no answer"}
            </span>{" "}
            <span className="muted">after {millis(outcome.tookMs)}</span>
          </p>
          {outcome.body !== null && <pre>{JSON.stringify(outcome.body, null, 2)}</pre>}
        </>
      )}
    </div>
  );
}
