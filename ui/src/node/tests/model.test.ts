import { describe, expect, it } from "vitest";
import { eventsAsCsv, eventsAsJson, eventsIn, exportName } from "../model/exports.ts";
import { NO_EVENTS, linesOf, withEvents } from "../model/events.ts";
import { backlogShare, healthOf, levelOf, share, sharedStage, stagesOf, waitPoint } from "../model/stages.ts";
import { rowsOf, tabStop, treeStep } from "../model/tree.ts";
import { OVERSCAN_ROWS, isAtEnd, keptScroll, sliceOf } from "../model/window.ts";
import { actor, actors, directFlow, event, events, lagging, loggedFlow } from "./fixtures.ts";

describe("the window over the log", () => {
  it("holds what is seen and some more", () => {
    const slice = sliceOf(10_000, 26, 416, 5_200);
    expect(slice).toEqual({ first: 190, end: 226, offsetPx: 190 * 26, totalPx: 260_000 });
    expect(slice.end - slice.first).toBe(16 + 2 * OVERSCAN_ROWS);
  });

  it("ends with the list, also when scrolled past it", () => {
    expect(sliceOf(10_000, 26, 416, 1e9)).toMatchObject({ first: 9_974, end: 10_000 });
    expect(sliceOf(3, 26, 416, 500)).toMatchObject({ first: 0, end: 3 });
    expect(sliceOf(0, 26, 416, 0)).toMatchObject({ first: 0, end: 0, totalPx: 0 });
  });

  it("knows the end within a row", () => {
    expect(isAtEnd(100, 26, 416, 2_600 - 416)).toBe(true);
    expect(isAtEnd(100, 26, 416, 2_600 - 416 - 20)).toBe(true);
    expect(isAtEnd(100, 26, 416, 2_000)).toBe(false);
    expect(isAtEnd(2, 26, 416, 0)).toBe(true);
  });

  it("finds a row again after others came before it", () => {
    expect(keptScroll(40, 26, 5)).toBe(1_045);
  });
});

describe("the tree's rows", () => {
  const none = new Set<string>();

  it("stand in the picture's order with level, name and place among siblings", () => {
    const rows = rowsOf(actors(), none);
    expect(rows).toHaveLength(actors().length);
    const reader = rows.find((row) => row.actor.path === "v2/pair-0/reader");
    expect(reader).toMatchObject({ level: 4, name: "reader", position: 2, siblings: 2, hasChildren: false });
    expect(rows[0]).toMatchObject({ level: 1, name: "root", siblings: 1, hasChildren: true });
  });

  it("hide what is below a folded one, and count what does not run there", () => {
    const down = actors({
      "v2/pair-0": { state: "restarting" },
      "v2/pair-0/reader": { state: "restarting" },
    });
    const rows = rowsOf(down, new Set(["v2"]));
    expect(rows.some((row) => row.actor.path.startsWith("v2/"))).toBe(false);
    expect(rows.find((row) => row.actor.path === "v2")).toMatchObject({ folded: true, troubledBelow: 2 });
  });

  it("show a child whose parent is not in the picture", () => {
    expect(rowsOf([actor("v3/partitions/partition-9/reader")], none)[0]).toMatchObject({ level: 1 });
  });

  it("are walked by keys", () => {
    const rows = rowsOf(actors(), new Set(["v2"]));
    expect(treeStep(rows, "root", "ArrowDown")).toEqual({ focus: "shared" });
    expect(treeStep(rows, "root", "ArrowUp")).toBeNull();
    expect(treeStep(rows, "v1/ingest", "ArrowDown")).toEqual({ focus: "v2" });
    expect(treeStep(rows, "v2", "ArrowRight")).toEqual({ unfold: "v2" });
    expect(treeStep(rows, "v1", "ArrowRight")).toEqual({ focus: "v1/batcher-0" });
    expect(treeStep(rows, "v1", "ArrowLeft")).toEqual({ fold: "v1" });
    expect(treeStep(rows, "v1/ingest", "ArrowLeft")).toEqual({ focus: "v1" });
    expect(treeStep(rows, "v1/ingest", "ArrowRight")).toBeNull();
    expect(treeStep(rows, "v1", "Home")).toEqual({ focus: "root" });
    expect(treeStep(rows, "v1", "End")).toEqual({ focus: "http" });
    expect(treeStep(rows, "v1", "x")).toBeNull();
    expect(treeStep(rows, "gone", "End")).toBeNull();
  });

  it("keep one tab stop, also after the chosen row was folded away or has gone", () => {
    const rows = rowsOf(actors(), new Set(["v3"]));
    expect(tabStop(rows, null)).toBe("root");
    expect(tabStop(rows, "v1/ingest")).toBe("v1/ingest");
    expect(tabStop(rows, "v3/partitions/partition-0/reader")).toBe("v3");
    expect(tabStop(rows, "gone")).toBe("root");
    expect(tabStop([], "gone")).toBeNull();
  });
});

describe("the stages of an order's way", () => {
  const up = { state: "up", reason: null } as const;
  const names = (version: string, flow = loggedFlow()) =>
    stagesOf(version, flow, actors()).map((stage) => stage.name);

  it("are those of the version", () => {
    expect(names("v1", directFlow())).toEqual(["http", "ingest", "batchers"]);
    expect(names("v3")).toEqual(["http", "ingest", "appender", "log", "readers", "batchers"]);
    expect(stagesOf("v1", directFlow(), actors()).find((stage) => stage.name === "batchers")?.actors).toBe(2);
  });

  it("are as well as their actors", () => {
    expect(healthOf({ actors: 0, running: 0 })).toBe("absent");
    expect(healthOf({ actors: 2, running: 2 })).toBe("good");
    expect(healthOf({ actors: 2, running: 1 })).toBe("partly");
    expect(healthOf({ actors: 2, running: 0 })).toBe("down");
  });

  const waits = (
    version: string,
    flow: ReturnType<typeof directFlow>,
    all = actors(),
    store: Parameters<typeof waitPoint>[2] = up,
  ) => waitPoint(flow, stagesOf(version, flow, all), store, 100);

  it("are calm while few orders are on their way", () => {
    expect(waits("v1", directFlow({ in_flight: 50 }))).toEqual({ stage: null, level: "calm" });
    expect(waits("v2", lagging(900))).toEqual({ stage: null, level: "calm" });
    expect(waits("v2", lagging(null))).toEqual({ stage: null, level: "calm" });
  });

  it("expect a lag of what comes in a second", () => {
    const flow = lagging(4_000);
    const stages = stagesOf("v2", flow, actors());
    expect(waitPoint(flow, stages, up, 5_000).stage).toBeNull();
    expect(waitPoint(flow, stages, up, 3_000)).toEqual({ stage: "log", level: "waiting" });
  });

  it("show where orders wait before their answer", () => {
    const full = directFlow({ in_flight: 4_000 });
    expect(waits("v1", full)).toEqual({ stage: "batchers", level: "full" });
    expect(waits("v1", full, actors({ "v1/ingest": { state: "restarting" } })).stage).toBe("ingest");
    const held = (orders: number, parcels: number) =>
      waits("v1", full, actors({ "v1/ingest": { mailbox: orders }, "v1/batcher-0": { mailbox: parcels } }))
        .stage;
    expect([held(30, 3), held(30, 0), held(3_000, 3)]).toEqual(["batchers", "batchers", "ingest"]);
    expect(waits("v1", full, actors(), { state: "away", reason: "no route" }).stage).toBe("store");
    expect(waits("v2", loggedFlow({ in_flight: 1_000 }))).toEqual({ stage: "appender", level: "waiting" });
  });

  it("show the log where what is stored lags behind", () => {
    expect(waits("v2", lagging(5_000))).toEqual({ stage: "log", level: "waiting" });
    const flow = loggedFlow();
    const log = flow.log && { ...flow.log, state: "full" as const, backlog: 1_000_000 };
    expect(waits("v2", { ...flow, log })).toEqual({ stage: "log", level: "full" });
  });

  it("show a stage that is down while an order is on its way", () => {
    const down = actors({ "v2/appender": { state: "restarting" } });
    expect(waits("v2", loggedFlow({ in_flight: 3 }), down)).toEqual({ stage: "appender", level: "waiting" });
    expect(waits("v2", loggedFlow(), down)).toEqual({ stage: null, level: "calm" });
  });

  it("tell shares only of what is known", () => {
    expect(share(null, 10)).toBeNull();
    expect(share(5, null)).toBeNull();
    expect(share(15, 10)).toBe(1);
    expect(backlogShare(directFlow())).toBeNull();
    expect(levelOf(null)).toBe("calm");
  });

  it("show whether a shared actor is behind", () => {
    const busy = actors({ "shared/aggregator": { mailbox: 500 }, "shared/fan-out": { state: "restarting" } });
    expect(sharedStage(busy, "shared/aggregator")).toEqual({ health: "good", mailbox: 500, behind: true });
    expect(sharedStage(busy, "shared/fan-out").health).toBe("down");
    expect(sharedStage(busy, "shared/nothing").health).toBe("absent");
  });
});

describe("exports", () => {
  const tricky = event(1, 0, { path: "v1", kind: "failed", detail: 'said "no", then\nended' });

  it("are JSON that reads back", () => {
    expect(JSON.parse(eventsAsJson([tricky, ...events(2, 3)]))).toEqual([tricky, ...events(2, 3)]);
    expect(JSON.parse(eventsAsJson([]))).toEqual([]);
  });

  it("are CSV with quotes where needed and no formulas", () => {
    const formula = event(2, 0, { detail: "=1+1" });
    expect(eventsAsCsv([tricky, formula])).toBe(
      "seq,at,path,kind,generation,detail\r\n" +
        '1,2026-11-22T09:00:00.000Z,v1,failed,1,"said ""no"", then\nended"\r\n' +
        "2,2026-11-22T09:00:00.000Z,v1/ingest,started,1,'=1+1\r\n",
    );
  });

  it("hold events only, under a name that sorts", () => {
    expect(eventsIn(linesOf(withEvents(NO_EVENTS, events(4, 5))))).toHaveLength(2);
    expect(exportName(new Date("2026-11-22T09:00:01.5Z"), "csv")).toBe(
      "coffee-rt-events-20261122T090001Z.csv",
    );
  });
});
