import { UNKNOWN, shortCount, span, timeOf } from "../../lib/format.ts";
import type { Flow, JobStatus } from "../../lib/wire.ts";

/** Whether a job on Flink stores a version's orders in the place of actors. */
export function isStoredByJob(flow: Flow): boolean {
  return flow.engine?.engine === "flink";
}

/** What the job does, in Flink's word; null where that is unknown. */
export function jobState(job: JobStatus | null): string | null {
  if (job === null) return null;
  return job.id === null ? "gone" : (job.state?.toLowerCase() ?? null);
}

/** How many checkpoints were completed, and how many failed. */
export function checkpointsText(job: JobStatus | null): string {
  const [done, failed] = [job?.checkpoints ?? null, job?.failed_checkpoints ?? null];
  return done === null && failed === null ? UNKNOWN : `${shortCount(done)}, ${shortCount(failed)} failed`;
}

/** How old the last checkpoint is at `now`, in unix milliseconds. */
export function checkpointAge(job: JobStatus | null, now: number | null): string {
  if (job?.checkpoints === 0) return "none yet";
  const at = timeOf(job?.last_checkpoint_at);
  return at === null || now === null ? UNKNOWN : `${span((now - at) / 1_000)} ago`;
}
