import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { TreeEvent } from "../src/lib/wire.ts";
import { Database } from "./support/database.ts";
import { ask, inject, startCustomers } from "./support/orders.ts";
import { story } from "./support/story.ts";
import {
  generation,
  newestSeq,
  recovered,
  row,
  runsInGeneration,
  shownEvents,
  storyOf,
} from "./support/tree.ts";

const VICTIM = "v1/batcher-0";
/** Customers who stay until the node is stopped. */
const LONG_S = 60;

story("an actor that is killed from the page is seen to fall and heal", async (stage) => {
  const node = await stage.node(stage.keep(Database.sqlite()));
  await startCustomers(node, 60, LONG_S);
  const { page } = await stage.open(`${node.url}/node`);
  await expect.poll(() => storyOf(page, VICTIM, 0)).toContain("first work gen 1");
  const [before, newest] = [await generation(page, VICTIM), await newestSeq(page)];
  await row(page, VICTIM).getByTestId("act-kill").click();
  const dialog = page.getByTestId("confirm-dialog");
  expect(await dialog.textContent()).toContain(VICTIM);
  // Nothing happens before it is confirmed.
  await page.getByTestId("confirm-cancel").click();
  await dialog.waitFor({ state: "detached" });
  expect(await storyOf(page, VICTIM, newest)).toEqual([]);

  await row(page, VICTIM).getByTestId("act-kill").click();
  await page.getByTestId("confirm-ok").click();
  await page.getByText(`${VICTIM} was killed.`).waitFor();
  await runsInGeneration(page, VICTIM, before + 1);
  const times = await recovered(page);
  expect(times[0]).toBe("0 ms");
  for (const time of times.slice(1)) expect(time).toMatch(/^\+[\d.,]+ (ms|s)$/);
  const [was, is] = [`gen ${before}`, `gen ${before + 1}`];
  expect(await storyOf(page, VICTIM, newest)).toEqual([
    `fault ${was}`,
    `failed ${was}`,
    `started ${is}`,
    `first work ${is}`,
  ]);
  expect(await generation(page, VICTIM)).toBe(before + 1);
  const fell = page.locator(`tr[data-path="${VICTIM}"] .node-cell-failure`);
  expect(await fell.textContent()).not.toBe("none");
});

story("a supervisor that is killed takes what is below it along, and all heal", async (stage) => {
  const node = await stage.node(stage.keep(Database.sqlite()));
  await startCustomers(node, 60, LONG_S);
  const { page } = await stage.open(`${node.url}/node`);
  await row(page, "v1").getByTestId("act-kill").click();
  expect(await page.getByTestId("confirm-dialog").textContent()).toContain("Everything below it");
  await page.getByTestId("confirm-ok").click();
  for (const path of ["v1", VICTIM, "v1/ingest"]) await runsInGeneration(page, path, 2);
  await recovered(page);
});

story(
  "panic and stall are told apart from a kill, and asking can be turned off for the session",
  async (stage) => {
    const node = await stage.node(stage.keep(Database.sqlite()));
    await startCustomers(node, 60, LONG_S);
    const { page } = await stage.open(`${node.url}/node`);
    await row(page, VICTIM).getByTestId("act-panic").click();
    await page.getByTestId("confirm-never").check();
    await page.getByTestId("confirm-ok").click();
    await runsInGeneration(page, VICTIM, 2);
    await recovered(page);
    expect(await page.getByTestId("timeline").textContent()).toContain("panic of v1/batcher-0");

    // Not asked any more, also after the page is loaded again.
    await page.reload();
    await runsInGeneration(page, VICTIM, 2);
    await page.getByLabel("Stall for").fill("0.3");
    await row(page, VICTIM).getByTestId("act-stall").click();
    await page.getByText(`${VICTIM} was told to stall.`).waitFor();
    expect(await page.getByTestId("confirm-dialog").count()).toBe(0);
    await page.getByText("stall of v1/batcher-0").waitFor();
    await page.locator('[data-testid="timeline-drained"][data-done="true"]').waitFor();
    // It slept, and was not started again.
    expect(await generation(page, VICTIM)).toBe(2);

    // Another session asks again.
    const { page: other } = await stage.open(`${node.url}/node`);
    await row(other, VICTIM).getByTestId("act-kill").click();
    await other.getByTestId("confirm-dialog").waitFor();
  },
);

story("a stall out of bounds, and one of an actor that is gone, are refused in words", async (stage) => {
  const node = await stage.node(stage.keep(Database.sqlite()));
  const { page, watch } = await stage.open(`${node.url}/node`);
  await page.getByLabel("Stall for").fill("9");
  await row(page, VICTIM).getByTestId("act-stall").click();
  await page.getByText("A stall takes 0.001 to 5 seconds.").waitFor();
  expect(await page.getByTestId("confirm-dialog").count()).toBe(0);
  // What the node itself refuses is shown as well.
  watch.allow(/status of 404/);
  await page.route("**/api/actors/v1/batcher-0/kill", (route) =>
    route.continue({ url: `${node.url}/api/actors/v1/nobody/kill` }),
  );
  await row(page, VICTIM).getByTestId("act-kill").click();
  await page.getByTestId("confirm-ok").click();
  await page.getByText(`kill of ${VICTIM} failed:`).waitFor();
});

story("events are found, filtered, and saved as they are", async (stage) => {
  const node = await stage.node(stage.keep(Database.sqlite()));
  await startCustomers(node, 30, LONG_S);
  for (const path of [VICTIM, "shared/fan-out", "shared/aggregator"]) await inject(node, path, "kill");
  const { page } = await stage.open(`${node.url}/node`);
  await expect.poll(() => storyOf(page, "shared/aggregator", 0)).toContain("first work gen 2");
  await page.getByTestId("event-filter").fill("batcher");
  const paths = async () => [...new Set((await shownEvents(page)).map((event) => event.path))];
  await expect.poll(paths).toEqual([VICTIM]);
  await page.getByRole("button", { name: "started", exact: true }).click();
  await expect
    .poll(async () => (await shownEvents(page)).map((event) => event.kind))
    .not.toContain("started");

  const { events } = await ask<{ events: TreeEvent[] }>(node, "/api/events");
  const wanted = events.filter((event) => event.path === VICTIM && event.kind !== "started");
  const saved = async (extension: string) => {
    const download = page.waitForEvent("download");
    await page.getByTestId(`event-export-${extension}`).click();
    const file = await (await download).path();
    return readFileSync(file, "utf8");
  };
  expect(JSON.parse(await saved("json"))).toEqual(wanted);
  const csv = (await saved("csv")).trimEnd().split("\r\n");
  expect(csv[0]).toBe("seq,at,path,kind,generation,detail");
  expect(csv.slice(1).map((line) => Number(line.split(",")[0]))).toEqual(wanted.map((event) => event.seq));
});
