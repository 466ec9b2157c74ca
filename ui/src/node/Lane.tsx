import { Fragment } from "react";
import { UNKNOWN, count, millis, rate, shortCount } from "../lib/format.ts";
import type { Actor, Flow, LogState, Picture } from "../lib/wire.ts";
import { JobFacts } from "./JobFacts.tsx";
import { Mark, type MarkShape } from "./marks.tsx";
import { Meter } from "./Meter.tsx";
import { jobState } from "./model/job.ts";
import type { FlowRates } from "./model/rates.ts";
import {
  type Stage,
  type StageName,
  backlogShare,
  healthOf,
  share,
  stagesOf,
  waitPoint,
} from "./model/stages.ts";

interface Props {
  version: string;
  flow: Flow;
  rates: FlowRates;
  actors: readonly Actor[];
  store: Picture["store"];
  /** By the node's clock, in unix milliseconds; null where that cannot be read. */
  now: number | null;
}

type Edge = "accepted" | "appended" | "read" | "stored";

/** The edge that leaves a stage, where orders are counted on it. */
const EDGE_AFTER: Partial<Record<StageName, Edge>> = {
  http: "accepted",
  appender: "appended",
  log: "read",
  batchers: "stored",
  job: "stored",
};

const WAIT_TEXT = {
  calm: "",
  waiting: "orders wait here",
  full: "full: orders are refused or about to be",
} as const;

/** The way of one version's orders to the store. */
export function Lane({ version, flow, rates, actors, store, now }: Props) {
  const stages = stagesOf(version, flow, actors);
  const wait = waitPoint(flow, stages, store, rates.accepted);
  const refused = rates.refused !== null && rates.refused > 0;
  return (
    <article
      className={`node-lane ${flow.log ? "node-lane-log" : "node-lane-direct"}`}
      data-testid={`flow-${version}`}
      data-waiting={wait.stage ?? "none"}
      aria-label={`Orders of ${version}`}
    >
      <header className="node-lane-head">
        <h3>{version}</h3>
        <p>{flow.log ? logText(flow.log) : "directly to the store"}</p>
        {refused && <p className="node-refused">{rate(rates.refused)}/s refused</p>}
      </header>
      <ol className="node-way">
        {stages.map((stage) => {
          const level = wait.stage === stage.name ? wait.level : "calm";
          const edge = EDGE_AFTER[stage.name];
          return (
            <Fragment key={stage.name}>
              <StageBox version={version} stage={stage} flow={flow} rates={rates} level={level} now={now} />
              <EdgeArrow name={edge} version={version} perSecond={edge ? rates[edge] : null} />
            </Fragment>
          );
        })}
      </ol>
    </article>
  );
}

function StageBox({
  version,
  stage,
  flow,
  rates,
  level,
  now,
}: {
  version: string;
  stage: Stage;
  flow: Flow;
  rates: FlowRates;
  level: "calm" | "waiting" | "full";
  now: number | null;
}) {
  const health = healthOf(stage);
  const fill = fillOf(stage.name, flow);
  const mark: MarkShape = stage.name === "log" ? logMark(flow.log) : health;
  const isDown = mark === "down" || mark === "partly";
  const isJob = stage.name === "job";
  const text = health === "down" && !isJob ? "restarting" : stageText(stage, flow, rates);
  return (
    <li
      className={`node-stage node-at-${stage.name} node-stage-${level === "calm" && isDown ? "down" : level}`}
      data-testid={`stage-${version}-${stage.name}`}
    >
      <span className="node-stage-name">
        <Mark shape={mark} /> {isJob ? "Flink job" : stage.name}
        {stage.actors > 1 && <span className="node-times">×{stage.actors}</span>}
      </span>
      <span className="node-stage-text">{text}</span>
      {isJob && flow.engine && <JobFacts engine={flow.engine} now={now} />}
      {fill !== null && <Meter share={Math.round(fill * 100) / 100} />}
      {level !== "calm" && <span className="node-stage-wait">{WAIT_TEXT[level]}</span>}
    </li>
  );
}

/** What a stage shows in one line: what is in it, of how much. */
function stageText(stage: Stage, flow: Flow, rates: FlowRates): string {
  switch (stage.name) {
    case "http":
      return `${shortCount(flow.accepted_total)} in all`;
    case "ingest":
      return `${shortCount(flow.in_flight)} of ${shortCount(flow.limit)}`;
    case "appender":
      return rates.appendMs === null ? UNKNOWN : `${millis(rates.appendMs)} each`;
    case "log":
      return `lag ${shortCount(flow.log?.lag)}`;
    case "readers":
      return stage.actors === 0 ? "none here" : `${shortCount(flow.log?.pending)} in hand`;
    case "batchers":
      return rates.batchOrders === null
        ? UNKNOWN
        : `${count(rates.batchOrders)} in ${millis(rates.commitMs)}`;
    case "job":
      return jobState(flow.engine?.job ?? null) ?? "unknown";
  }
}

function fillOf(name: StageName, flow: Flow): number | null {
  if (name === "ingest") return share(flow.in_flight, flow.limit);
  return name === "log" ? backlogShare(flow) : null;
}

function logMark(log: LogState | null): MarkShape {
  const marks = { unknown: "absent", up: "good", full: "partly", away: "down" } as const;
  return log ? marks[log.state] : "absent";
}

function logText(log: LogState): string {
  if (log.reason !== null) return `log ${log.state}: ${log.reason}`;
  const letters = log.dead_letters === null ? UNKNOWN : count(log.dead_letters);
  return `log ${log.state}, backlog ${count(log.backlog)} of ${shortCount(log.backlog_limit)}, dead letters ${letters}`;
}

function EdgeArrow({
  name,
  version,
  perSecond,
}: {
  name: Edge | undefined;
  version: string;
  perSecond: number | null;
}) {
  const flows = perSecond !== null && perSecond > 0;
  return (
    <li
      className={`node-edge ${name ? `node-edge-${name}` : "node-edge-plain"} ${flows ? "node-edge-flows" : ""}`}
      aria-hidden={name ? undefined : true}
    >
      {name && (
        <span className="node-edge-rate" data-testid={`flow-${version}-${name}`}>
          <b>{rate(perSecond)}</b> <small>{name}/s</small>
        </span>
      )}
      <span className="node-edge-line" aria-hidden="true" />
    </li>
  );
}
