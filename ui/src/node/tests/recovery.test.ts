import { describe, expect, it } from "vitest";
import type { TreeEvent } from "../../lib/wire.ts";
import { NO_RECOVERY, type Recovery, advance, stepsOf } from "../model/recovery.ts";
import { actors, directFlow, event, lagging, picture } from "./fixtures.ts";

const PATH = "v1/batcher-0";

function own(
  seq: number,
  ms: number,
  kind: TreeEvent["kind"],
  generation: number,
  detail: string | null = null,
) {
  return event(seq, ms, { path: PATH, kind, generation, detail });
}

function withLoad(ms: number, inFlight: number) {
  return picture(ms, { flows: { v1: directFlow({ in_flight: inFlight }), v2: lagging(inFlight) } });
}

const shown = (recovery: Recovery) =>
  recovery.incident
    ? stepsOf(recovery.incident).map((step) => (step.state === "done" ? step.ms : step.state))
    : null;

describe("a recovery", () => {
  const before = advance(NO_RECOVERY, [], withLoad(0, 40));

  it("is none without a fault", () => {
    expect(before.incident).toBeNull();
  });

  it("goes from the kill to the drained backlog", () => {
    const killed = advance(
      before,
      [own(1, 100, "fault", 3, "kill"), own(2, 101, "failed", 3, "killed")],
      withLoad(110, 90),
    );
    expect(shown(killed)).toEqual([0, "waiting", "waiting", "waiting"]);
    const started = advance(killed, [own(3, 130, "started", 4)], withLoad(140, 30));
    expect(shown(started)).toEqual([0, 30, "waiting", "waiting"]);
    const working = advance(started, [own(4, 145, "first_work", 4)], withLoad(150, 200));
    expect(shown(working)).toEqual([0, 30, 45, "waiting"]);
    const drained = advance(working, [], withLoad(400, 40));
    expect(shown(drained)).toEqual([0, 30, 45, 300]);
    expect(shown(advance(drained, [], withLoad(500, 400)))).toEqual([0, 30, 45, 300]);
  });

  it("takes the same events again without change", () => {
    const all = [
      own(1, 100, "fault", 3, "kill"),
      own(2, 101, "failed", 3, "killed"),
      own(3, 130, "started", 4),
    ];
    const once = advance(before, all, withLoad(140, 90));
    const again = advance(once, all, withLoad(141, 90));
    expect(again.incident).toEqual(once.incident);
    expect(again.incident?.mode).toBe("kill");
  });

  it("is drained at once where nothing waits, though no order comes", () => {
    const idle = advance(NO_RECOVERY, [], withLoad(0, 0));
    const healed = advance(
      idle,
      [own(1, 100, "fault", 1, "kill"), own(2, 120, "started", 2)],
      withLoad(125, 0),
    );
    expect(shown(healed)).toEqual([0, 20, "waiting", 25]);
  });

  it("does not take less waiting orders than before for more than they are", () => {
    const started = [
      own(1, 100, "fault", 1, "kill"),
      own(2, 120, "started", 2),
      own(3, 121, "first_work", 2),
    ];
    expect(shown(advance(before, started, withLoad(130, 41)))?.[3]).toBe("waiting");
    // The most of the second before counts: single pictures vary.
    const varied = advance(advance(NO_RECOVERY, [], withLoad(-300, 80)), [], withLoad(0, 5));
    expect(shown(advance(varied, started, withLoad(130, 60)))?.[3]).toBe(30);
  });

  it("cannot tell of a backlog that it has not seen, or that is unknown", () => {
    const old = advance(
      NO_RECOVERY,
      [own(1, -500, "failed", 1, "killed"), own(2, -480, "started", 2)],
      withLoad(0, 0),
    );
    expect(shown(old)).toEqual([0, 20, "waiting", "unknown"]);
    const dark = advance(NO_RECOVERY, [], picture(0, { flows: { v2: lagging(null) } }));
    const fault = event(1, 10, { path: "v2/appender", kind: "fault", detail: "kill" });
    expect(shown(advance(dark, [fault], picture(20)))?.[3]).toBe("unknown");
  });

  it("is not another one for what died with its supervisor", () => {
    const events = [
      event(1, 100, { path: "v1", kind: "fault", generation: 1, detail: "kill" }),
      event(2, 101, { path: "v1", kind: "failed", generation: 1, detail: "killed" }),
      event(3, 101, { path: PATH, kind: "failed", generation: 1, detail: "died with v1" }),
      event(4, 110, { path: "v1", kind: "started", generation: 2 }),
      event(5, 111, { path: PATH, kind: "started", generation: 2 }),
      event(6, 150, { path: PATH, kind: "first_work", generation: 2 }),
    ];
    const healed = advance(before, events, withLoad(200, 10));
    expect(healed.incident?.path).toBe("v1");
    expect(shown(healed)).toEqual([0, 10, 50, 100]);
  });

  it("is the last one's", () => {
    const first = advance(
      before,
      [own(1, 100, "fault", 1, "kill"), own(2, 110, "started", 2)],
      withLoad(120, 0),
    );
    const second = advance(first, [own(3, 200, "fault", 2, "kill")], withLoad(210, 0));
    expect(second.incident).toMatchObject({ seq: 3, generation: 2, startedAt: null });
  });

  it("counts from the death where a panic waits for a message", () => {
    const asked = advance(before, [own(1, 100, "fault", 1, "panic")], withLoad(110, 40));
    expect(shown(asked)).toEqual(["waiting", "waiting", "waiting", "waiting"]);
    const died = advance(
      asked,
      [own(2, 600, "failed", 1, "panic injected"), own(3, 620, "started", 2)],
      withLoad(630, 90),
    );
    expect(shown(died)).toEqual([0, 20, "waiting", "waiting"]);
  });

  it("needs no restart after a stall", () => {
    const stalled = advance(before, [own(1, 100, "fault", 1, "stall 500")], withLoad(110, 20));
    expect(shown(stalled)).toEqual([0, "skipped", "skipped", "waiting"]);
    expect(shown(advance(stalled, [], withLoad(700, 20)))).toEqual([0, "skipped", "skipped", 600]);
  });

  it("looks at the mailbox of an actor that all versions share", () => {
    const path = "shared/aggregator";
    const mailbox = (ms: number, messages: number) =>
      picture(ms, { actors: actors({ [path]: { mailbox: messages } }) });
    const seen = advance(NO_RECOVERY, [], mailbox(0, 2));
    const events = [
      event(1, 100, { path, kind: "fault", detail: "kill" }),
      event(2, 120, { path, kind: "started", generation: 2 }),
      event(3, 125, { path, kind: "first_work", generation: 2 }),
    ];
    const behind = advance(seen, events, mailbox(130, 70));
    expect(shown(behind)?.[3]).toBe("waiting");
    expect(shown(advance(behind, [], mailbox(300, 1)))?.[3]).toBe(200);
  });
});
