import type { Page } from "playwright-core";
import { expect } from "vitest";
import { Database } from "./support/database.ts";
import { measured, measuredAtBest, quantile } from "./support/facts.ts";
import type { Node } from "./support/node.ts";
import { orders, place } from "./support/orders.ts";
import { isLive, type Stage } from "./support/stage.ts";
import { story } from "./support/story.ts";

const PROFILES = 5;
const FIRST_PAINT_LIMIT_MS = 500;
const FIRST_LOAD_LIMIT_KB = 150;

/** Counts what comes over the wire, headers included; of sockets their own frames are no part of the load. */
async function countBytes(page: Page): Promise<() => number> {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  let bytes = 0;
  session.on("Network.loadingFinished", ({ encodedDataLength }) => (bytes += encodedDataLength));
  return () => bytes;
}

/** Loads the page with a fresh profile: when it was first painted, and what came over the wire. */
async function firstLoad(stage: Stage, node: Node): Promise<{ paintMs: number; sizeKb: number }> {
  const { context, watch } = await stage.context();
  const page = await context.newPage();
  await watch.hear(page);
  const bytes = await countBytes(page);
  await page.goto(node.url);
  await isLive(page);
  // The other views are loaded ahead.
  await page.waitForLoadState("networkidle");
  await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
  const paintMs = await page.evaluate(
    () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Number.NaN,
  );
  const hosts = new Set(watch.requests.map((url) => new URL(url).host));
  expect([...hosts]).toEqual([new URL(node.url).host]);
  await context.close();
  return { paintMs, sizeKb: bytes() / 1_000 };
}

story("the first load is quick, small, and asks nobody but the node", async (stage) => {
  const node = await stage.node(stage.keep(Database.sqlite()));
  await place(node, orders(20));
  const sizes: number[] = [];
  const name = `first contentful paint, median of ${PROFILES} fresh profiles`;
  await measuredAtBest(name, "ms", FIRST_PAINT_LIMIT_MS, async () => {
    const paints: number[] = [];
    for (let profile = 0; profile < PROFILES; profile += 1) {
      const { paintMs, sizeKb } = await firstLoad(stage, node);
      paints.push(paintMs);
      sizes.push(sizeKb);
    }
    return quantile(paints, 0.5);
  });
  measured("first load with all views, over the wire", Math.max(...sizes), "kB", FIRST_LOAD_LIMIT_KB);
});
