import axe from "axe-core";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { Database } from "./support/database.ts";
import type { Node } from "./support/node.ts";
import { inject, startCustomers } from "./support/orders.ts";
import { isLive, type Stage, VIEWS } from "./support/stage.ts";
import { story } from "./support/story.ts";

/** The narrowest that must do, and a usual window. */
const WIDTHS = [360, 1280];
const VIEW_NAMES = Object.keys(VIEWS) as (keyof typeof VIEWS)[];

/** A node with orders, events and customers, so that there is something to look at. */
async function lively(stage: Stage): Promise<Node> {
  const node = await stage.node(stage.keep(Database.sqlite()));
  await startCustomers(node, 20, 90);
  for (const path of ["v1/batcher-0", "shared/aggregator"]) await inject(node, path, "kill");
  return node;
}

/** Goes to a view as people do. */
async function goTo(page: Page, view: keyof typeof VIEWS): Promise<void> {
  await page.getByTestId(`nav-${view}`).click();
  await page.waitForFunction((path) => location.pathname === path, VIEWS[view]);
  await page.locator("main .loading").waitFor({ state: "detached" });
  await page.locator("main h1").waitFor({ state: "attached" });
}

/** What axe finds, in words. */
async function axeFinds(page: Page): Promise<string[]> {
  const found = await page.evaluate(async () => {
    const results = await (window as unknown as { axe: typeof axe }).axe.run(document, {
      resultTypes: ["violations"],
    });
    return results.violations.map(({ id, nodes }) => ({
      id,
      nodes: nodes.map(({ html, failureSummary }) => [html, failureSummary]),
    }));
  });
  return found.map(({ id, nodes }) => `${id}: ${JSON.stringify(nodes.slice(0, 3))} of ${nodes.length}`);
}

for (const width of WIDTHS) {
  for (const colorScheme of ["light", "dark"] as const) {
    story(`axe finds nothing, and nothing is cut off: ${width} px, ${colorScheme}`, async (stage) => {
      const node = await lively(stage);
      const { page } = await stage.open(node.url, { viewport: { width, height: 800 }, colorScheme });
      await page.evaluate(axe.source);
      const found: string[] = [];
      for (const view of VIEW_NAMES) {
        await goTo(page, view);
        found.push(...(await axeFinds(page)).map((finding) => `${view}: ${finding}`));
        const beyond = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        if (beyond > 0) found.push(`${view}: ${beyond} px too wide`);
      }
      expect(found).toEqual([]);
    });
  }
}

story("axe finds nothing in the dialog, nor where the node is read-only or away", async (stage) => {
  const node = await lively(stage);
  const { page } = await stage.open(`${node.url}/node`);
  await page.evaluate(axe.source);
  await page.getByTestId("actor-row-v1").getByTestId("act-kill").click();
  await page.getByTestId("confirm-dialog").waitFor();
  expect(await axeFinds(page)).toEqual([]);
  const closed = await stage.node(stage.keep(Database.away()), { listen: "0.0.0.0:0", ready: false });
  const { context, watch } = await stage.context();
  const other = await context.newPage();
  await watch.hear(other);
  await other.goto(`${closed.url}/node`);
  await other.getByTestId("read-only-note").waitFor();
  await other.evaluate(axe.source);
  for (const view of VIEW_NAMES) {
    await goTo(other, view);
    expect(await axeFinds(other), view).toEqual([]);
  }
});

story(
  "the choice of light or dark is remembered, and the system's is followed until there is one",
  async (stage) => {
    const node = await stage.node(stage.keep(Database.sqlite()));
    const { page, watch } = await stage.open(node.url, { colorScheme: "light" });
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await ground();
    await page.emulateMedia({ colorScheme: "dark" });
    await expect.poll(ground).not.toBe(light);
    const dark = await ground();
    await page.emulateMedia({ colorScheme: "light" });
    await expect.poll(ground).toBe(light);
    await page.getByTestId("theme-switch").click();
    await expect.poll(ground).toBe(dark);
    await page.reload();
    await isLive(page);
    expect(await ground()).toBe(dark);
    const next = await stage.openIn(page.context(), watch, `${node.url}/till`);
    expect(await next.evaluate(() => document.documentElement.dataset["theme"])).toBe("dark");
  },
);

/** Animations that run in a page, and transitions that any of its elements would make. */
function motions(page: Page): Promise<number> {
  return page.evaluate(() => {
    const moves = [...document.querySelectorAll("*")].filter((element) => {
      const { animationName, transitionDuration } = getComputedStyle(element);
      const lasts = transitionDuration.split(",").some((time) => Number.parseFloat(time) > 0.01);
      return animationName !== "none" || lasts;
    });
    return moves.length;
  });
}

story("nothing moves for those who want no motion", async (stage) => {
  const node = await lively(stage);
  const { page: moving } = await stage.open(`${node.url}/node`);
  await expect.poll(() => motions(moving)).toBeGreaterThan(0);
  const { page } = await stage.open(`${node.url}/node`, { reducedMotion: "reduce" });
  for (const view of VIEW_NAMES) {
    await goTo(page, view);
    expect(await motions(page), view).toBe(0);
  }
});
