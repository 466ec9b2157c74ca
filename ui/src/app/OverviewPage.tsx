import { useSyncExternalStore } from "react";
import type { NodeInfo } from "../lib/wire.ts";
import { NodeGlance } from "../node/NodeGlance.tsx";
import { HeatMap } from "../sales/HeatMap.tsx";
import { SalesGlance } from "../sales/SalesGlance.tsx";
import { Tiles } from "../sales/Tiles.tsx";
import { useSales } from "../sales/useSales.ts";
import { Link } from "./Link.tsx";
import { address } from "./routes.ts";
import type { Sources } from "./sources.ts";

interface PageProps {
  readonly sources: Sources;
  readonly info: NodeInfo | null;
}

/** `/`: what is sold and how the node is, side by side. */
export function OverviewPage({ sources, info }: PageProps) {
  const { sales, freshness } = useSales(sources.store);
  return (
    <>
      <h1 className="sr-only">Overview</h1>
      <Invitation sold={sales.frame === null ? null : sales.frame.stored_total} />
      <Tiles frame={sales.frame} freshness={freshness} />
      <div className="overview">
        <SalesGlance sales={sales} />
        <div className="overview-side">
          <Glance sources={sources} info={info} />
          <HeatMap cells={sales.frame?.cells ?? null} menu={info?.menu ?? null} />
        </div>
      </div>
    </>
  );
}

const openNode = () => address.go("/node");

function Glance({ sources, info }: PageProps) {
  const { frame, state } = useSyncExternalStore(sources.actors.subscribe, sources.actors.getSnapshot);
  return <NodeGlance picture={frame} live={state === "live"} info={info} onOpen={openNode} />;
}

/** For newcomers: what to do first. Its place is kept, so nothing moves when the first order comes. */
function Invitation({ sold }: { readonly sold: number | null }) {
  return (
    <p className="invitation">
      {sold === 0 ? "No order yet: " : "See it move: "}
      <Link to="/till">send customers from the till</Link>, then{" "}
      <Link to="/node">kill an actor of the node</Link> and watch it heal without losing an order.
    </p>
  );
}
