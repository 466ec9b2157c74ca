import { useSyncExternalStore } from "react";
import type { NodeInfo } from "../lib/wire.ts";
import { NodeGlance } from "../node/index.ts";
import { SalesGlance } from "../sales/SalesGlance.tsx";
import { useSales } from "../sales/useSales.ts";
import { Link } from "./Link.tsx";
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
      <div className="overview">
        <section aria-labelledby="overview-sales">
          <SectionHead id="overview-sales" title="Sales" to="/sales" more="All sales" />
          <SalesGlance sales={sales} freshness={freshness} />
        </section>
        <section aria-labelledby="overview-node">
          <SectionHead id="overview-node" title="Node" to="/node" more="The whole node" />
          <Glance sources={sources} info={info} />
        </section>
      </div>
    </>
  );
}

interface HeadProps {
  readonly id: string;
  readonly title: string;
  readonly to: string;
  readonly more: string;
}

function SectionHead({ id, title, to, more }: HeadProps) {
  return (
    <div className="section-head">
      <h2 id={id}>{title}</h2>
      <Link to={to} className="more">
        {more}
      </Link>
    </div>
  );
}

function Glance({ sources, info }: PageProps) {
  const { frame, state } = useSyncExternalStore(sources.actors.subscribe, sources.actors.getSnapshot);
  return <NodeGlance picture={frame} live={state === "live"} info={info} />;
}

/** For newcomers: what to do first. Its place is kept, so nothing moves when the first order comes. */
function Invitation({ sold }: { readonly sold: number | null }) {
  return (
    <p className="invitation">
      {sold === 0 ? "No order yet. " : "See it move: "}
      <Link to="/till">send customers from the till</Link>, then{" "}
      <Link to="/node">kill an actor of the node</Link> and watch it heal without losing an order.
    </p>
  );
}
