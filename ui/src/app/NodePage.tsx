import { useSyncExternalStore } from "react";
import { type Fault, getEvents, injectFault } from "../lib/api.ts";
import { adminToken } from "../lib/token.ts";
import type { Events, NodeInfo } from "../lib/wire.ts";
import type { Sources } from "./sources.ts";
import { NodeView } from "./views.tsx";

interface PageProps {
  readonly sources: Sources;
  readonly info: NodeInfo | null;
}

/** `/node` */
export function NodePage({ sources, info }: PageProps) {
  const { frame, state } = useSyncExternalStore(sources.actors.subscribe, sources.actors.getSnapshot);
  const token = useSyncExternalStore(adminToken.subscribe, adminToken.getSnapshot);
  return (
    <NodeView
      picture={frame}
      live={state === "live"}
      info={info}
      inject={inject}
      loadEvents={loadEvents}
      token={token}
      onToken={adminToken.set}
    />
  );
}

async function inject(path: string, fault: Fault): Promise<{ ok: true } | { ok: false; message: string }> {
  const answer = await injectFault(path, fault, adminToken.getSnapshot());
  return answer.ok ? { ok: true } : { ok: false, message: answer.message };
}

async function loadEvents(after: number): Promise<Events> {
  const answer = await getEvents(after);
  if (!answer.ok) throw new Error(answer.message);
  return answer.value;
}
