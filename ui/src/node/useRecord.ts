import { useEffect, useLayoutEffect, useSyncExternalStore } from "react";
import type { Events, NodeInfo, Picture } from "../lib/wire.ts";
import { type NodeRecord, recorder } from "./model/record.ts";

/** The wait after a question for events that was not answered. */
const RETRY_MS = 2_000;

/** What is remembered of the node, with this picture in it. */
export function useRecord(picture: Picture | null, info: NodeInfo | null): NodeRecord {
  const record = useSyncExternalStore(recorder.subscribe, recorder.snapshot);
  const startedAt = info?.started_at ?? null;
  // Before the paint, so that a picture is on the screen with what follows from it.
  useLayoutEffect(() => {
    if (startedAt !== null) recorder.noteStart(startedAt);
    if (picture !== null) recorder.observe(picture);
  }, [picture, startedAt]);
  return record;
}

/** Asks the node for events that are missing, one question at a time. */
export function useGapFilling(live: boolean, loadEvents: (after: number) => Promise<Events>): void {
  const asking = useSyncExternalStore(recorder.subscribe, gapKey);
  useEffect(() => {
    if (!live || asking === null) return;
    let over = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async () => {
      const question = recorder.question();
      if (!question) return;
      const answer = await loadEvents(question.gap.from - 1).catch(() => null);
      if (over) return;
      if (answer) recorder.answer(question, answer);
      // Where the answer changed nothing the same gap is still there.
      if (gapKey() === asking) timer = setTimeout(() => void ask(), RETRY_MS);
    };
    void ask();
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [live, asking, loadEvents]);
}

function gapKey(): string | null {
  const question = recorder.question();
  return question && `${question.run}:${question.gap.from}-${question.gap.to}`;
}
