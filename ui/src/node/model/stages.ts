import type { Actor, Flow, JobStatus, Picture } from "../../lib/wire.ts";
import { isStoredByJob, jobState } from "./job.ts";

/** The stages of an order's way that belong to one version. A job stands in the place of readers and batchers. */
export type StageName = "http" | "ingest" | "appender" | "log" | "readers" | "batchers" | "job";

/** From here on what waits is worth a look, as a share of the limit. */
const NOTABLE_SHARE = 0.1;
/** From here on orders are about to be refused. */
const NEARLY_FULL_SHARE = 0.9;
/** Fewer are always on their way while orders come: about one transaction. */
const NOTABLE_LAG_ORDERS = 1_000;
/** A lag is told twice a second, so it may be of this time's orders though nothing waits. */
const NOTABLE_LAG_SECONDS = 1;
/** Messages that wait for an actor of the shared part before it is shown as behind. */
const NOTABLE_MAILBOX = 100;

/** How one stage is. */
export interface Stage {
  name: StageName;
  /** Actors of this stage; 0 for the log, which is not in the node. A job of which something is known counts as one. */
  actors: number;
  running: number;
  mailbox: number;
}

/** Where orders of a version wait. `calm`: as many as always are on their way. */
export interface WaitPoint {
  stage: StageName | "store" | null;
  level: "calm" | "waiting" | "full";
}

/** How an actor, or several of the same work, are. */
export type Health = "good" | "partly" | "down" | "absent";

const WITHIN: Record<Exclude<StageName, "http" | "log" | "job">, RegExp> = {
  ingest: /\/ingest$/,
  appender: /\/appender$/,
  readers: /\/reader(-\d+)?$/,
  batchers: /\/batcher(-\d+)?$/,
};

/** The stages of a version in the order in which an order passes them. */
export function stagesOf(version: string, flow: Flow, actors: readonly Actor[]): Stage[] {
  const own = actors.filter((actor) => actor.path.startsWith(`${version}/`));
  const stage = (name: keyof typeof WITHIN): Stage => tally(name, own, WITHIN[name]);
  const http = tally("http", actors, /^http$/);
  const isDirect = flow.appends === null && flow.log === null;
  if (isDirect) return [http, stage("ingest"), stage("batchers")];
  return [
    http,
    stage("ingest"),
    stage("appender"),
    { name: "log", actors: 0, running: 0, mailbox: 0 },
    ...(isStoredByJob(flow) ? [jobStage(flow.engine?.job ?? null)] : [stage("readers"), stage("batchers")]),
  ];
}

function jobStage(job: JobStatus | null): Stage {
  const state = jobState(job);
  return { name: "job", actors: state === null ? 0 : 1, running: state === "running" ? 1 : 0, mailbox: 0 };
}

function tally(name: StageName, actors: readonly Actor[], path: RegExp): Stage {
  const workers = actors.filter((actor) => actor.kind === "worker" && path.test(actor.path));
  return {
    name,
    actors: workers.length,
    running: workers.filter((actor) => actor.state === "running").length,
    mailbox: workers.reduce((sum, actor) => sum + actor.mailbox, 0),
  };
}

/** How the actors of a stage are. */
export function healthOf(stage: Pick<Stage, "actors" | "running">): Health {
  if (stage.actors === 0) return "absent";
  if (stage.running === stage.actors) return "good";
  return stage.running === 0 ? "down" : "partly";
}

/** The share of a limit that is used, of 0 to 1; null where either is unknown. */
export function share(used: number | null, limit: number | null): number | null {
  if (used === null || limit === null || limit <= 0) return null;
  return Math.min(1, Math.max(0, used / limit));
}

/** How worrying a share is. */
export function levelOf(value: number | null): WaitPoint["level"] {
  if (value === null || value < NOTABLE_SHARE) return "calm";
  return value < NEARLY_FULL_SHARE ? "waiting" : "full";
}

/** Where most orders of a version wait: before they are acknowledged, or in the log. `perSecond` come. */
export function waitPoint(
  flow: Flow,
  stages: readonly Stage[],
  store: Picture["store"],
  perSecond: number | null,
): WaitPoint {
  const front = share(flow.in_flight, flow.limit);
  const back = backlogShare(flow);
  const lag = flow.log?.lag ?? 0;
  if (flow.log?.state === "full") return { stage: "log", level: "full" };
  if (levelOf(front) !== "calm" && (front ?? 0) >= (back ?? 0)) {
    return { stage: heldBy(flow, stages, store), level: levelOf(front) };
  }
  if (levelOf(back) !== "calm") return { stage: "log", level: levelOf(back) };
  const usual = Math.max(NOTABLE_LAG_ORDERS, (perSecond ?? 0) * NOTABLE_LAG_SECONDS);
  if (lag > usual) return { stage: "log", level: "waiting" };
  const down = stages.find((stage) => healthOf(stage) === "down");
  if (down && flow.in_flight + lag > 0) return { stage: down.name, level: "waiting" };
  return { stage: null, level: "calm" };
}

/** How full the log is of what is not stored yet. */
export function backlogShare(flow: Flow): number | null {
  return flow.log ? share(flow.log.backlog ?? flow.log.lag, flow.log.backlog_limit) : null;
}

function heldBy(flow: Flow, stages: readonly Stage[], store: Picture["store"]): WaitPoint["stage"] {
  // Before the acknowledgement an order waits for the batchers of a direct version, else for the appender.
  const isDirect = flow.log === null;
  const line = stages.filter(
    (stage) => stage.name === "ingest" || stage.name === (isDirect ? "batchers" : "appender"),
  );
  const down = line.find((stage) => healthOf(stage) === "down");
  if (down) return down.name;
  if (isDirect && store.state === "away") return "store";
  if (flow.log?.state === "away") return "log";
  // The ingest's mailbox counts orders, that of who takes them counts parcels.
  const [ingest, taker] = line;
  const first = ingest && ingest.mailbox * 2 >= flow.in_flight ? ingest : taker;
  return first?.name ?? null;
}

/** An actor of the part that all versions share, by its path. */
export function sharedStage(
  actors: readonly Actor[],
  path: string,
): { health: Health; mailbox: number | null; behind: boolean } {
  const actor = actors.find((one) => one.path === path);
  if (!actor) return { health: "absent", mailbox: null, behind: false };
  return {
    health: actor.state === "running" ? "good" : "down",
    mailbox: actor.mailbox,
    behind: actor.mailbox >= NOTABLE_MAILBOX,
  };
}
