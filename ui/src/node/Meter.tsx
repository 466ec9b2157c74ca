import { levelOf } from "./model/stages.ts";

/** A bar that fills up to a limit. What it says stands beside it as text. */
export function Meter({ share }: { share: number }) {
  return (
    <span className="node-meter" aria-hidden="true">
      <span
        className={`node-meter-fill node-level-${levelOf(share)}`}
        style={{ transform: `scaleX(${share})` }}
      />
    </span>
  );
}
