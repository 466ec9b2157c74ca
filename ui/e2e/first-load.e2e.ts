import type { Page } from "playwright-core";
import { expect } from "vitest";
import { Database } from "./support/database.ts";
import { measured, quantile } from "./support/facts.ts";
import { orders, place } from "./support/orders.ts";
import { isLive } from "./support/stage.ts";
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

story("the first load is quick, small, and asks nobody but the node", async (stage) => {
  const node = await stage.node(stage.keep(Database.sqlite()));
  await place(node, orders(20));
  const [paints, sizes]: [number[], number[]] = [[], []];
  for (let profile = 0; profile < PROFILES; profile += 1) {
    const { context, watch } = await stage.context();
    const page = await context.newPage();
    await watch.hear(page);
    const bytes = await countBytes(page);
    await page.goto(node.url);
    await isLive(page);
    // The other views are loaded ahead.
    await page.waitForLoadState("networkidle");
    paints.push(
      await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? NaN),
    );
    sizes.push(bytes() / 1_000);
    const hosts = new Set(watch.requests.map((url) => new URL(url).host));
    expect([...hosts]).toEqual([new URL(node.url).host]);
    await context.close();
  }
  measured(
    "first contentful paint, median of 5 fresh profiles",
    quantile(paints, 0.5),
    "ms",
    FIRST_PAINT_LIMIT_MS,
  );
  measured("first load with all views, over the wire", quantile(sizes, 0.5), "kB", FIRST_LOAD_LIMIT_KB);
});
