import { count, millis, span, timeOf, clockTime } from "../lib/format.ts";
import type { Customers, Run } from "../lib/wire.ts";

interface ProgressProps {
  readonly customers: Customers | null;
  /** Why the last reading failed; null where it did not. */
  readonly unread: string | null;
}

/** The customers under way, or how the last ones fared. */
export function Progress({ customers, unread }: ProgressProps) {
  const run = customers?.running ?? customers?.last ?? null;
  const running = customers !== null && customers.running !== null;
  return (
    <div className="sim-progress" data-testid="sim-progress" data-running={running}>
      {unread !== null && <p className="till-note">What they do is unknown: {unread}</p>}
      {run ? (
        <Figures run={run} running={running} />
      ) : (
        <p className="empty">{customers ? "No customers yet." : "Unknown until the node answers."}</p>
      )}
    </div>
  );
}

function Figures({ run, running }: { readonly run: Run; readonly running: boolean }) {
  const began = clockTime(timeOf(run.started_at));
  const asked = `${run.version}, ${count(run.rate_per_second)} a second`;
  return (
    <>
      <h3>
        <span role="status">{running ? "Under way" : "Last run"}</span>
      </h3>
      <p className="muted num">
        {asked}, began {began}, {span(run.elapsed_seconds)} of {span(run.duration_seconds)}
      </p>
      <progress max={run.duration_seconds} value={run.elapsed_seconds} aria-label="Time of the run" />
      <dl className="sim-figures num">
        <Figure name="sent" value={count(run.sent)} />
        <Figure name="acknowledged" value={count(run.acknowledged)} />
        <Figure name="refused" value={count(run.refused)} />
        <Figure name="unknown" value={count(run.unknown)} />
        <Figure name="p50" value={millis(run.sent === 0 ? null : run.p50_ms)} />
        <Figure name="p99" value={millis(run.sent === 0 ? null : run.p99_ms)} />
        <Figure name="broken promises" value={count(run.broken_promises)} bad={run.broken_promises > 0} />
      </dl>
    </>
  );
}

function Figure({
  name,
  value,
  bad,
}: {
  readonly name: string;
  readonly value: string;
  readonly bad?: boolean;
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className={bad ? "till-bad" : undefined} data-testid={`sim-${name.replace(" ", "-")}`}>
        {value}
      </dd>
    </div>
  );
}
