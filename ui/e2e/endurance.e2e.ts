import type { CDPSession, Page } from "playwright-core";
import { expect } from "vitest";
import { Database } from "./support/database.ts";
import { measured, measuredAtBest, quantile } from "./support/facts.ts";
import { inject, picture, startCustomers } from "./support/orders.ts";
import { story } from "./support/story.ts";
import { newestSeq } from "./support/tree.ts";

/** What the node keeps, and the page as well. */
const EVENTS = 10_000;
/** Requests under way at once. */
const HANDS = 16;
const FRAME_LIMIT_MS = 50;
const MOST_ROWS = 80;
/** Frames in which the log is scrolled from its end to its beginning. */
const SCROLL_FRAMES = 120;

/** Fills the node's log: stalls are events, and nothing is restarted. */
async function manyEvents(stall: () => Promise<void>): Promise<void> {
  const hand = async () => {
    for (let done = 0; done < EVENTS / HANDS; done += 1) await stall();
  };
  await Promise.all(Array.from({ length: HANDS }, hand));
}

/** Scrolls the log evenly to its top and back: how long each frame took, and the most rows in the document. */
function scroll(page: Page): Promise<{ frames: number[]; rows: number }> {
  return page.getByTestId("event-log").evaluate(
    (log, steps) =>
      new Promise<{ frames: number[]; rows: number }>((done) => {
        const [frames, bottom]: [number[], number] = [[], log.scrollHeight - log.clientHeight];
        let [step, last, rows] = [0, performance.now(), 0];
        const next = (now: number) => {
          frames.push(now - last);
          last = now;
          rows = Math.max(rows, log.querySelectorAll('[data-testid^="event-"]').length);
          step += 1;
          if (step > 2 * steps) return done({ frames: frames.slice(1), rows });
          log.scrollTop = bottom * Math.abs(1 - step / steps);
          requestAnimationFrame(next);
        };
        requestAnimationFrame(next);
      }),
    SCROLL_FRAMES,
  );
}

story("10,000 events are scrolled smoothly, from the end to the beginning and back", async (stage) => {
  const node = await stage.node(stage.keep(Database.sqlite()));
  await manyEvents(() => inject(node, "v1/batcher-0", "stall"));
  const newest = (await picture(node)).events.at(-1)?.seq ?? 0;
  expect(newest).toBeGreaterThan(EVENTS);
  const { page } = await stage.open(`${node.url}/node`);
  const log = page.getByTestId("event-log");
  const height = () => log.evaluate((element) => element.scrollHeight);
  // All that the node keeps were fetched: each line is at least so high.
  await expect.poll(height).toBeGreaterThan(EVENTS * 20);
  expect(await newestSeq(page)).toBe(newest);
  await startCustomers(node, 20, 60);
  await log.hover();
  let rows = 0;
  await measuredAtBest("10,000 events, frame while scrolling, p95", "ms", FRAME_LIMIT_MS, async () => {
    const scrolled = await scroll(page);
    rows = Math.max(rows, scrolled.rows);
    return quantile(scrolled.frames, 0.95);
  });
  measured("10,000 events, most rows in the document", rows, "rows", MOST_ROWS);
  expect(rows).toBeGreaterThan(10);
  await log.evaluate((element) => (element.scrollTop = 0));
  const top = () => page.locator('[data-testid="event-log"] .node-line-seq').first().textContent();
  // The oldest that is kept; customers have moved it on a little.
  const oldest = async () => ((await picture(node)).events.at(-1)?.seq ?? 0) - EVENTS + 1;
  const beyond = async () => Number(await top()) - (await oldest());
  await expect.poll(beyond).toBeLessThanOrEqual(0);
  await page.getByText("Jump to newest").click();
  await expect.poll(() => newestSeq(page)).toBeGreaterThanOrEqual(newest);
  await page.getByTestId("event-filter").fill("fan-out");
  await expect.poll(height).toBeLessThan(EVENTS);
});

/** Frames of the sales and of the tree that come while the page is watched: some 40 s of them, or an hour (`make soak`). */
const WATCHED_FRAMES = Number(process.env["COFFEE_RT_WATCHED_FRAMES"] ?? 500);
/** Fewer frames a second than this are as good as none. */
const FEWEST_FRAMES_PER_SECOND = 3;
/** As long as a node lets customers come, and as many as it lets come for so long. */
const [CUSTOMERS_PER_SECOND, CUSTOMERS_SECONDS] = [50, 3_600];
/** How often its heap is looked at meanwhile. */
const LOOKS = 10;
/** Less than this is no growth: the last minutes' seconds and freshness are kept. */
const GROWTH_LIMIT_KB = 400;

async function heapKb(session: CDPSession): Promise<number> {
  // Twice: what finalizers let go of goes with the second.
  for (let times = 0; times < 2; times += 1) await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  return usedSize / 1_000;
}

/** Frames of the sales and of the tree that a page received. */
function countFrames(page: Page): () => number {
  let frames = 0;
  page.on("websocket", (socket) => socket.on("framereceived", () => (frames += 1)));
  return () => frames;
}

story("memory does not grow while frames come", async (stage) => {
  const node = await stage.node(stage.keep(Database.sqlite()));
  await startCustomers(node, CUSTOMERS_PER_SECOND, CUSTOMERS_SECONDS);
  const { context, watch } = await stage.context();
  const page = await context.newPage();
  await watch.hear(page);
  const frames = countFrames(page);
  await page.goto(node.url);
  const session = await context.newCDPSession(page);
  const heaps: number[] = [];
  const timeout = 15_000 + (1_000 * WATCHED_FRAMES) / LOOKS / FEWEST_FRAMES_PER_SECOND;
  for (let look = 1; look <= LOOKS; look += 1) {
    await expect.poll(frames, { timeout }).toBeGreaterThan((look / LOOKS) * WATCHED_FRAMES);
    heaps.push(await heapKb(session));
  }
  // What is made once is made in the first part.
  const settled = heaps.slice(2);
  const [first, second] = [settled.slice(0, LOOKS / 2 - 1), settled.slice(LOOKS / 2 - 1)];
  const growth = quantile(second, 0.5) - quantile(first, 0.5);
  measured("frames received while the heap is watched", frames(), "frames");
  measured("heap after these frames", heaps.at(-1) ?? Number.NaN, "kB");
  measured("heap, second half against first", growth, "kB", GROWTH_LIMIT_KB);
});
