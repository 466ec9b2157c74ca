import { clockTime, count, timeOf } from "../lib/format.ts";
import type { Events, NodeInfo, Picture } from "../lib/wire.ts";
import { ActorTree } from "./ActorTree.tsx";
import { ConfirmFault } from "./ConfirmFault.tsx";
import { EventLog } from "./EventLog.tsx";
import { FaultControls, blockedReason } from "./FaultControls.tsx";
import { FlowMap } from "./FlowMap.tsx";
import { Timeline } from "./Timeline.tsx";
import { type Inject, useFaults } from "./useFaults.ts";
import { useGapFilling, useRecord } from "./useRecord.ts";
import "./node.css";
import "./flow.css";
import "./flow-narrow.css";
import "./tree.css";
import "./tree-narrow.css";
import "./log.css";

interface Props {
  /** The last picture; null before the first. */
  picture: Picture | null;
  /** Whether pictures are coming. */
  live: boolean;
  /** What the node said of itself; null while that is unknown. */
  info: NodeInfo | null;
  inject: Inject;
  /** Reads events after this number from the node; kept the same over renderings. */
  loadEvents: (after: number) => Promise<Events>;
  /** The admin token; the caller keeps it for this session. */
  token: string;
  onToken: (token: string) => void;
}

const NO_ACTORS: never[] = [];

/** The node for who watches and breaks it: ways of orders, the supervision tree, recovery, events. */
export function NodeView({ picture, live, info, inject, loadEvents, token, onToken }: Props) {
  const record = useRecord(picture, info);
  useGapFilling(live, loadEvents);
  const shown = record.picture;
  const actors = shown?.actors ?? NO_ACTORS;
  const faults = useFaults(actors, inject);
  const isBlocked = blockedReason(info, token) !== null;
  return (
    <div className={`node-view ${live ? "" : "node-stale"}`}>
      <h1 className="sr-only">Node</h1>
      {!live && <StaleNote picture={shown} />}
      {shown && <FlowMap picture={shown} rates={record.rates} />}
      <Timeline incident={record.incident} />
      <section className="card node-panel" aria-labelledby="node-tree-title">
        <header className="node-head">
          <h2 id="node-tree-title">Supervision tree</h2>
          <p className="node-note">{summary(shown)}</p>
        </header>
        <FaultControls
          info={info}
          token={token}
          onToken={onToken}
          stall={faults.stall}
          onStall={faults.setStall}
          asks={faults.asks}
          onAsks={faults.changeAsks}
          outcome={faults.outcome}
        />
        {shown && <ActorTree actors={actors} isBlocked={isBlocked} onAct={faults.act} />}
      </section>
      <EventLog store={record.events} />
      {faults.wanted && (
        <ConfirmFault wanted={faults.wanted} onConfirm={faults.confirm} onCancel={faults.cancel} />
      )}
    </div>
  );
}

function StaleNote({ picture }: { picture: Picture | null }) {
  return (
    <p className="node-stale-note">
      {picture
        ? `Not connected: this is how the node was at ${clockTime(timeOf(picture.server_timestamp))}.`
        : "Waiting for the first picture of the node."}
    </p>
  );
}

function summary(picture: Picture | null): string {
  if (!picture) return "not known yet";
  const running = picture.actors.filter((actor) => actor.state === "running").length;
  const restarts = picture.actors.reduce((sum, actor) => sum + actor.restarts, 0);
  return `${running} of ${picture.actors.length} actors run, ${count(restarts)} restarts`;
}
