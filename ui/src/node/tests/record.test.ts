import { beforeEach, describe, expect, it } from "vitest";
import { linesOf } from "../model/events.ts";
import { Recorder } from "../model/record.ts";
import { at, directFlow, event, events, picture } from "./fixtures.ts";

const types = (recorder: Recorder) => linesOf(recorder.snapshot().events).map((line) => line.type);

describe("the recorder", () => {
  let recorder: Recorder;
  let changes: number;
  beforeEach(() => {
    recorder = new Recorder();
    changes = 0;
    recorder.subscribe(() => {
      changes += 1;
    });
  });

  it("tells of each picture once", () => {
    const one = picture(0, { events: events(1, 2) });
    recorder.observe(one);
    recorder.observe(one);
    expect(changes).toBe(1);
    expect(recorder.snapshot().picture).toBe(one);
    recorder.observe(picture(500, { frames_total: 510, events: events(1, 3) }));
    expect(recorder.snapshot().rates.frames).toBe(20);
    expect(types(recorder)).toEqual(["event", "event", "event"]);
  });

  it("marks a restart once, whether the pictures or the start time show it first", () => {
    recorder.noteStart(at(-1_000));
    recorder.observe(picture(0, { events: events(1, 5) }));
    recorder.observe(picture(900, { frames_total: 0, events: [event(1, 800)] }));
    recorder.noteStart(at(800));
    expect(types(recorder).filter((type) => type === "restart")).toHaveLength(1);

    recorder.noteStart(at(2_000));
    recorder.observe(picture(2_100, { frames_total: 0, events: [event(1, 2_050)] }));
    expect(types(recorder).filter((type) => type === "restart")).toHaveLength(2);
    expect(types(recorder).at(-1)).toBe("event");
  });

  it("takes sums that went down for a restart, and forgets rates and the recovery", () => {
    recorder.observe(picture(0, { events: [event(1, -10, { kind: "fault", detail: "kill" })] }));
    recorder.observe(picture(500, { events: [event(1, -10, { kind: "fault", detail: "kill" })] }));
    expect(recorder.snapshot().incident).not.toBeNull();
    recorder.observe(
      picture(900, { flows: { v1: directFlow({ accepted_total: 0 }) }, events: events(1_001, 1_002) }),
    );
    expect(types(recorder)).toEqual(["event", "restart", "gap", "event", "event"]);
    expect(recorder.snapshot()).toMatchObject({ incident: null, rates: { frames: null } });
  });

  it("asks for what is missing and takes the answer", () => {
    recorder.observe(picture(0, { events: events(5, 6) }));
    const question = recorder.question();
    expect(question).toEqual({ run: 0, gap: { from: 1, to: 4 } });
    if (question) recorder.answer(question, { events: events(1, 6), newest_seq: 6 });
    expect(types(recorder)).toEqual(["event", "event", "event", "event", "event", "event"]);
    expect(recorder.question()).toBeNull();
  });

  it("follows a recovery whose events were missing", () => {
    const path = "v1/batcher-0";
    recorder.observe(picture(0, { events: events(1, 1) }));
    recorder.observe(
      picture(100, { events: [event(1), event(2, 50, { path, kind: "fault", detail: "kill" })] }),
    );
    recorder.observe(picture(300, { events: events(4, 5).map((one) => ({ ...one, at: at(250) })) }));
    const question = recorder.question();
    const answer = [event(3, 70, { path, generation: 2 })];
    if (question) recorder.answer(question, { events: answer, newest_seq: 5 });
    expect(recorder.snapshot().incident).toMatchObject({ path, nextGeneration: 2 });
  });

  it("forgets everything when told", () => {
    recorder.observe(picture(0, { events: events(1, 2) }));
    recorder.reset();
    expect(recorder.snapshot()).toMatchObject({ picture: null, events: { kept: [] } });
  });
});
