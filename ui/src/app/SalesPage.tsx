import type { NodeInfo } from "../lib/wire.ts";
import { SalesView } from "../sales/SalesView.tsx";
import { useSales } from "../sales/useSales.ts";
import type { Sources } from "./sources.ts";

interface PageProps {
  readonly sources: Sources;
  readonly info: NodeInfo | null;
}

/** `/sales` */
export function SalesPage({ sources, info }: PageProps) {
  const { sales, freshness } = useSales(sources.store);
  return <SalesView sales={sales} freshness={freshness} menu={info?.menu ?? null} />;
}
