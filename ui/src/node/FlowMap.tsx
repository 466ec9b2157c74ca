import { memo } from "react";
import { count, rate, shortCount, timeOf } from "../lib/format.ts";
import type { Picture } from "../lib/wire.ts";
import { Lane } from "./Lane.tsx";
import { Mark } from "./marks.tsx";
import { type Rates, ratesFor } from "./model/rates.ts";
import { sharedStage } from "./model/stages.ts";

interface Props {
  picture: Picture;
  rates: Rates;
}

/** The ways of orders: a lane for each version, which all end in the store and go on to the sockets. */
export const FlowMap = memo(function FlowMap({ picture, rates }: Props) {
  return (
    <section className="card node-panel node-flow" aria-labelledby="node-flow-title">
      <header className="node-head">
        <h2 id="node-flow-title">Ways of an order</h2>
        <p className="node-note">rates are of the last second; a highlighted stage is where orders wait</p>
      </header>
      <div className="node-flow-map">
        <div className="node-lanes">
          {Object.entries(picture.flows).map(([version, flow]) => (
            <Lane
              key={version}
              version={version}
              flow={flow}
              rates={ratesFor(rates, version)}
              actors={picture.actors}
              store={picture.store}
              now={timeOf(picture.server_timestamp)}
            />
          ))}
        </div>
        <Tail picture={picture} frames={rates.frames} />
      </div>
    </section>
  );
});

const STORE_TEXT = { unknown: "unknown", up: "up", away: "away" } as const;

function Tail({ picture, frames }: { picture: Picture; frames: number | null }) {
  const { store } = picture;
  const shape = { unknown: "absent", up: "good", away: "down" } as const;
  return (
    <ol className="node-tail" aria-label="From the store to the sockets">
      <li
        className={`node-stage ${store.state === "away" ? "node-stage-full" : ""}`}
        title={store.reason ?? undefined}
      >
        <span className="node-stage-name">
          <Mark shape={shape[store.state]} /> store
        </span>
        <span className="node-stage-text">{store.reason ?? STORE_TEXT[store.state]}</span>
      </li>
      <SharedStage
        picture={picture}
        path="shared/aggregator"
        text={`${count(picture.hydrations_total)} read anew`}
      />
      <SharedStage picture={picture} path="shared/fan-out" text={`${rate(frames)} frames/s`} />
      <li className="node-stage">
        <span className="node-stage-name">sockets</span>
        <span className="node-stage-text">{count(picture.sockets)} open</span>
      </li>
    </ol>
  );
}

function SharedStage({ picture, path, text }: { picture: Picture; path: string; text: string }) {
  const { health, mailbox, behind } = sharedStage(picture.actors, path);
  const waiting = behind ? `${shortCount(mailbox)} waiting` : text;
  return (
    <li
      className={`node-stage ${behind ? "node-stage-waiting" : health === "down" ? "node-stage-down" : ""}`}
    >
      <span className="node-stage-name">
        <Mark shape={health} /> {path.slice("shared/".length)}
      </span>
      <span className="node-stage-text">{health === "down" ? "restarting" : waiting}</span>
    </li>
  );
}
