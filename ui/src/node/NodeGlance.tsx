import { type MouseEvent } from "react";
import { clockTime, count, rate, span } from "../lib/format.ts";
import type { Actor, NodeInfo, Picture } from "../lib/wire.ts";
import { Mark } from "./marks.tsx";
import { Meter } from "./Meter.tsx";
import { type Rates, ratesFor } from "./model/rates.ts";
import type { Incident } from "./model/recovery.ts";
import { backlogShare, share, stagesOf, waitPoint } from "./model/stages.ts";
import { Steps } from "./Timeline.tsx";
import { useRecord } from "./useRecord.ts";
import "./node.css";
import "./glance.css";

interface Props {
  picture: Picture | null;
  live: boolean;
  info: NodeInfo | null;
  /** Goes to the full view. */
  onOpen: () => void;
}

/** The node in short, for the page that shows everything at a glance. */
export function NodeGlance({ picture, live, info, onOpen }: Props) {
  const record = useRecord(picture, info);
  const shown = record.picture;
  const open = (event: MouseEvent) => {
    // Other clicks open the address elsewhere, as on any link.
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    onOpen();
  };
  return (
    <section
      className={`card node-panel node-glance ${live ? "" : "node-stale"}`}
      aria-labelledby="node-glance-title"
    >
      <header className="node-head">
        <h2 id="node-glance-title">Node</h2>
        <p className="node-note">{info ? `${info.engine}, version ${info.version}` : "—"}</p>
        <a className="node-open" href="/node" onClick={open}>
          Watch and break it
        </a>
      </header>
      {shown ? <Glance picture={shown} rates={record.rates} /> : <p className="node-empty">Not known yet.</p>}
      <div className="node-glance-fault">
        <p className="node-note">{faultText(record.incident)}</p>
        <Steps incident={record.incident} />
      </div>
    </section>
  );
}

function Glance({ picture, rates }: { picture: Picture; rates: Rates }) {
  const { actors } = picture;
  const running = actors.filter((actor) => actor.state === "running").length;
  const restarts = actors.reduce((sum, actor) => sum + actor.restarts, 0);
  const root = actors.find((actor) => actor.parent === null);
  return (
    <>
      <dl className="node-facts">
        <Fact name="Running" value={`${running} of ${actors.length}`} isBad={running < actors.length} />
        <Fact name="Restarts" value={count(restarts)} />
        <Fact name="Uptime" value={span(root?.uptime_seconds)} />
        <Fact name="Store" value={picture.store.state} isBad={picture.store.state === "away"} />
        <Fact name="Frames" value={`${rate(rates.frames)} /s`} />
        <Fact name="Sockets" value={count(picture.sockets)} />
      </dl>
      <Dots actors={actors} />
      <ul className="node-glance-lanes">
        {Object.keys(picture.flows).map((version) => (
          <GlanceLane key={version} version={version} picture={picture} rates={rates} />
        ))}
      </ul>
    </>
  );
}

function Fact({ name, value, isBad = false }: { name: string; value: string; isBad?: boolean }) {
  return (
    <div className={isBad ? "node-fact node-fact-bad" : "node-fact"}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

/** A mark for each actor, by branch: one that restarts changes its shape. */
function Dots({ actors }: { actors: readonly Actor[] }) {
  const branches = new Map<string, Actor[]>();
  for (const actor of actors) {
    const branch = actor.path.split("/")[0] ?? actor.path;
    branches.set(branch, [...(branches.get(branch) ?? []), actor]);
  }
  return (
    <ul className="node-dots" aria-label="Actors by branch">
      {[...branches].map(([branch, own]) => (
        <li key={branch}>
          <span className="node-dots-name">{branch}</span>
          {own.map((actor) => (
            <span key={actor.path} title={`${actor.path}: ${actor.state}, generation ${actor.generation}`}>
              <Mark shape={actor.state} />
            </span>
          ))}
          <span className="sr-only">
            {own.filter((actor) => actor.state === "running").length} of {own.length} running
          </span>
        </li>
      ))}
    </ul>
  );
}

function GlanceLane({ version, picture, rates }: { version: string; picture: Picture; rates: Rates }) {
  const flow = picture.flows[version];
  if (!flow) return null;
  const own = ratesFor(rates, version);
  const wait = waitPoint(flow, stagesOf(version, flow, picture.actors), picture.store, own.accepted);
  const fill = Math.max(share(flow.in_flight, flow.limit) ?? 0, backlogShare(flow) ?? 0);
  return (
    <li className={`node-glance-lane node-stage-${wait.level}`}>
      <b>{version}</b>
      <span className="node-num">{rate(own.accepted)} accepted/s</span>
      <span className="node-num">{rate(own.stored)} stored/s</span>
      <Meter share={Math.round(fill * 100) / 100} />
      <span className="node-glance-wait">
        {wait.stage === null ? "nothing waits" : `orders wait at ${wait.stage}`}
      </span>
    </li>
  );
}

function faultText(incident: Incident | null): string {
  if (!incident) return "No fault seen yet. How an actor heals is shown here:";
  return `Last fault: ${incident.mode ?? "failure"} of ${incident.path} at ${clockTime(incident.faultAt)}`;
}
