import type { Page } from "playwright-core";
import { expect } from "vitest";
import { Database } from "./support/database.ts";
import { measured, measuredAtBest, quantile } from "./support/facts.ts";
import { orders, place, startCustomers } from "./support/orders.ts";
import { isLive } from "./support/stage.ts";
import { story } from "./support/story.ts";

/** The most from a frame's arrival to the moment when it is on the screen. */
const PAINT_LIMIT_MS = 100;
/** What the stories ask for at least, to prove anything. */
const ENOUGH_FRAMES = 60;

/** Longer than it takes a slow machine to show as many; they end with their node. */
const CUSTOMERS_SECONDS = 60;

/** So many are not counted: with the first ones the page is still loading its other views. */
const FIRST_FRAMES = 10;

interface Painted {
  /** When the frame with this total arrived, and when it was on the screen. */
  frames: { total: string; received: number; painted: number | null }[];
}
declare global {
  interface Window {
    painted: Painted;
  }
}

/** Notes in the page when frames of the sales arrive, and when their total is on the screen. */
function noteFrames(): void {
  const notes: Painted = { frames: [] };
  window.painted = notes;
  const shape = new Intl.NumberFormat("en");
  class Heard extends WebSocket {
    constructor(...args: ConstructorParameters<typeof WebSocket>) {
      super(...args);
      if (!String(args[0]).endsWith("/ws/sales")) return;
      // Before the page's own listener, so that its work is counted.
      this.addEventListener("message", (event) => {
        const frame = JSON.parse(event.data as string) as { stored_total: number };
        const total = shape.format(frame.stored_total);
        if (notes.frames.at(-1)?.total === total) return;
        notes.frames.push({ total, received: performance.now(), painted: null });
      });
    }
  }
  window.WebSocket = Heard;
  const onScreen = (total: string) => {
    requestAnimationFrame(() => {
      // A task after the frame's callbacks: by then it has been painted.
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        const frame = notes.frames.findLast((one) => one.total === total && one.painted === null);
        if (frame) frame.painted = performance.now();
        port1.close();
      };
      port2.postMessage(null);
    });
  };
  new MutationObserver(() => {
    const total = document.querySelector('[data-testid="stored-total"]')?.textContent;
    if (total) onScreen(total);
  }).observe(document, { subtree: true, characterData: true, childList: true });
}

/** Waits for enough frames after the first so many: how many there are, and how long each took to the screen. */
async function nextFrames(page: Page, from: number): Promise<{ count: number; took: number[] }> {
  // The last may be on its way.
  const next = async () => (await page.evaluate(() => window.painted.frames)).slice(from, -1);
  await expect.poll(async () => (await next()).length).toBeGreaterThan(ENOUGH_FRAMES);
  const frames = await next();
  const took = frames.flatMap(({ received, painted }) => (painted === null ? [] : [painted - received]));
  const count = frames.length;
  expect(count - took.length, `frames that were never shown of ${count}`).toBeLessThan(count / 10);
  return { count, took };
}

for (const [name, path] of [
  ["the overview", "/"],
  ["sales", "/sales"],
] as const) {
  story(`a frame is on the screen within ${PAINT_LIMIT_MS} ms: ${name}`, async (stage) => {
    const node = await stage.node(stage.keep(Database.sqlite()));
    await place(node, orders(1));
    const { context, watch } = await stage.context();
    const page = await context.newPage();
    await watch.hear(page);
    await page.addInitScript(noteFrames);
    await page.goto(node.url + path);
    await isLive(page);
    await startCustomers(node, 100, CUSTOMERS_SECONDS);
    let from = FIRST_FRAMES;
    let took: number[] = [];
    await measuredAtBest(`frame to screen, ${name}, p95`, "ms", PAINT_LIMIT_MS, async () => {
      const next = await nextFrames(page, from);
      from += next.count;
      took = next.took;
      return quantile(took, 0.95);
    });
    measured(`frame to screen, ${name}, median`, quantile(took, 0.5), "ms", PAINT_LIMIT_MS);
    // Of so few frames this is the worst, which one pause of a busy machine decides.
    measured(`frame to screen, ${name}, p99`, quantile(took, 0.99), "ms");
  });
}
