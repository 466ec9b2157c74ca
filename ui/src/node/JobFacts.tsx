import { shortCount } from "../lib/format.ts";
import type { EngineView } from "../lib/wire.ts";
import { checkpointAge, checkpointsText } from "./model/job.ts";

interface Props {
  engine: EngineView;
  /** By the node's clock, in unix milliseconds. */
  now: number | null;
}

/** What Flink tells of its job, and what is wrong with it. */
export function JobFacts({ engine: { job, trouble }, now }: Props) {
  return (
    <>
      <dl className="node-job">
        <Fact name="checkpoints" value={checkpointsText(job)} />
        <Fact name="last one" value={checkpointAge(job, now)} />
        <Fact name="restarts" value={shortCount(job?.restarts)} />
      </dl>
      {trouble !== null && <span className="node-job-trouble">{trouble}</span>}
    </>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt> <dd>{value}</dd>
    </div>
  );
}
