import { render, screen } from "@testing-library/react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { EngineView, Flow } from "../../lib/wire.ts";
import { violations } from "../../testing/axe.ts";
import { checkpointAge, checkpointsText, jobState } from "../model/job.ts";
import { ratesFor, ratesOf, sampleOf, withSample } from "../model/rates.ts";
import { healthOf, stagesOf, waitPoint } from "../model/stages.ts";
import { NodeGlance } from "../NodeGlance.tsx";
import { T0, actors, at, info, job, jobFlow, lagging, loggedFlow, picture } from "./fixtures.ts";
import { SLOW, beginAnew, view } from "./harness.tsx";

vi.setConfig(SLOW);
beforeEach(beginAnew);

/** A job that Flink does not know, as the node tells it. */
const GONE = job({
  id: null,
  state: null,
  restarts: null,
  checkpoints: null,
  failed_checkpoints: null,
  last_checkpoint_at: null,
  last_checkpoint_ms: null,
});

const up = { state: "up", reason: null } as const;
const names = (flow: Flow) => stagesOf("v3", flow, actors()).map((stage) => stage.name);
const health = (engine: Partial<EngineView>) => {
  const stage = stagesOf("v3", jobFlow(engine), actors()).at(-1);
  return stage && healthOf(stage);
};

describe("a job", () => {
  it("stands in the place of readers and batchers while it stores", () => {
    expect(names(jobFlow())).toEqual(["http", "ingest", "appender", "log", "job"]);
    for (const engine of ["actors", null] as const) {
      expect(names(jobFlow({ engine, job: null }))).toEqual(names(loggedFlow()));
    }
  });

  it("is well while it runs, and unknown where Flink does not tell", () => {
    expect(health({})).toBe("good");
    expect(health({ job: job({ state: "RESTARTING" }) })).toBe("down");
    expect(health({ job: GONE })).toBe("down");
    expect(health({ job: job({ state: null }) })).toBe("absent");
    expect(health({ job: null })).toBe("absent");
  });

  it("is where orders wait while it does not run", () => {
    const waits = (engine: Partial<EngineView>) => {
      const flow = { ...jobFlow(engine), log: lagging(3).log };
      return waitPoint(flow, stagesOf("v3", flow, actors()), up, 100);
    };
    expect(waits({ job: GONE })).toEqual({ stage: "job", level: "waiting" });
    expect(waits({ job: null })).toEqual({ stage: null, level: "calm" });
    expect(waits({})).toEqual({ stage: null, level: "calm" });
  });

  it("is told in words, what is unknown never as 0", () => {
    expect([jobState(job()), jobState(GONE), jobState(null)]).toEqual(["running", "gone", null]);
    expect(checkpointsText(job({ checkpoints: 604_800, failed_checkpoints: 2 }))).toBe("604.8K, 2 failed");
    expect(checkpointsText(job({ failed_checkpoints: null }))).toBe("12, — failed");
    expect([checkpointsText(GONE), checkpointsText(null)]).toEqual(["—", "—"]);
  });

  it("has a last checkpoint of some age by the node's clock", () => {
    expect(checkpointAge(job(), T0)).toBe("3 s ago");
    expect(checkpointAge(job({ last_checkpoint_at: at(200) }), T0)).toBe("0 s ago");
    expect(checkpointAge(job({ checkpoints: 0, last_checkpoint_at: null }), T0)).toBe("none yet");
    expect(checkpointAge(job({ last_checkpoint_at: null }), T0)).toBe("—");
    expect(checkpointAge(job(), null)).toBe("—");
    expect(checkpointAge(null, T0)).toBe("—");
  });

  it("leaves what it reads and stores a second unknown to the node", () => {
    const pictures = [0, 500].map((ms) =>
      picture(ms, { flows: { v3: jobFlow({}, { accepted_total: 1_000 + ms }) } }),
    );
    const samples = pictures.flatMap((one) => sampleOf(one) ?? []);
    const [first, last] = samples;
    expect.assert(first && last);
    const rates = ratesFor(ratesOf(withSample([first], last)), "v3");
    expect(rates).toMatchObject({ accepted: 1_000, appended: 0, read: null, stored: null });
  });
});

describe("the lane of a version that a job stores", () => {
  const shown = (flow: Flow) => view({ picture: picture(0, { flows: { v3: flow } }) });
  const box = () => screen.getByTestId("stage-v3-job");
  const facts = () => [...box().querySelectorAll("dl > div")].map((fact) => fact.textContent);

  it("shows how the job is", () => {
    render(shown(jobFlow({ job: job({ restarts: 2, failed_checkpoints: 1 }) })));
    expect(box().querySelector(".node-stage-text")?.textContent).toBe("running");
    expect(facts()).toEqual(["checkpoints 12, 1 failed", "last one 3 s ago", "restarts 2"]);
    expect(box().querySelector(".node-job-trouble")).toBeNull();
    expect(screen.queryByTestId("stage-v3-readers")).toBeNull();
    expect(screen.getByTestId("flow-v3-stored").textContent).toContain("—");
  });

  it("shows what is unknown as unknown, and trouble in words", () => {
    render(shown(jobFlow({ job: null, trouble: "no answer within 3s" })));
    expect(box().querySelector(".node-stage-text")?.textContent).toBe("unknown");
    expect(facts()).toEqual(["checkpoints —", "last one —", "restarts —"]);
    expect(screen.getByText("no answer within 3s")).toBeTruthy();
  });

  it("shows a job that is gone as down", () => {
    render(shown(jobFlow({ job: GONE, trouble: "the job is gone: orders wait in the log" })));
    expect(box().className).toContain("node-stage-down");
    expect(box().querySelector(".node-stage-text")?.textContent).toBe("gone");
    expect(facts()).toContain("restarts —");
  });

  it("is as ever where actors store, or who does is unknown", () => {
    const lane = () => screen.getByTestId("flow-v3").innerHTML;
    const { rerender } = render(shown(loggedFlow()));
    const before = lane();
    for (const engine of ["actors", null] as const) {
      rerender(shown(jobFlow({ engine, job: null, trouble: "the store is away" })));
      expect(lane()).toBe(before);
    }
  });

  it("has no accessibility violation that can be told without layout", async () => {
    render(shown(jobFlow({ trouble: "the job is RESTARTING: orders wait in the log" })));
    expect(await violations(screen.getByTestId("flow-v3"))).toEqual([]);
  });

  it("is told at a glance", () => {
    const flow = { ...jobFlow({ job: GONE }), log: lagging(3).log };
    const now = picture(0, { flows: { v3: flow } });
    render(<NodeGlance picture={now} live info={info()} onOpen={vi.fn()} />);
    expect(screen.getByText("orders wait at job")).toBeTruthy();
    expect(screen.getByText("— stored/s")).toBeTruthy();
  });
});
