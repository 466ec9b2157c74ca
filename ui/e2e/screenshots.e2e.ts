import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { Database } from "./support/database.ts";
import { OUT, REPOSITORY } from "./support/places.ts";
import { inject } from "./support/orders.ts";
import { isLive, VIEWS } from "./support/stage.ts";
import { story } from "./support/story.ts";
import { startFromPage } from "./support/till.ts";
import { recovered } from "./support/tree.ts";

/** With UPDATE_SCREENSHOTS=1 those that the README shows are made anew. */
const FOLDER =
  process.env["UPDATE_SCREENSHOTS"] === "1" ? join(REPOSITORY, "docs", "screenshots") : join(OUT, "views");
const LARGEST_BYTES = 150_000;
/** A view that has less is blank. */
const LEAST_BYTES = 15_000;
/** Seconds of orders that the charts show. */
const LIVELY_S = 20;

/** Takes a picture that must show something. */
async function shoot(page: Page, name: string): Promise<void> {
  await page.evaluate(() => scrollTo(0, 0));
  const image = await page.screenshot({ path: join(FOLDER, `${name}.png`), animations: "disabled" });
  expect(image.byteLength, name).toBeGreaterThan(LEAST_BYTES);
  expect(image.byteLength, name).toBeLessThan(LARGEST_BYTES);
}

story("every view has a picture, with customers and a recovery", async (stage) => {
  mkdirSync(FOLDER, { recursive: true });
  const node = await stage.node(stage.keep(Database.sqlite()));
  const { page } = await stage.open(`${node.url}/till`, { colorScheme: "light" });
  await startFromPage(page, "v1", 40, 90);
  await page.getByTestId("nav-node").click();
  const seconds = () => page.locator("main").evaluate(() => Math.floor(performance.now() / 1_000));
  const began = await seconds();
  await expect.poll(seconds, { timeout: 2 * LIVELY_S * 1_000 }).toBeGreaterThan(began + LIVELY_S);
  await inject(node, "v1/batcher-0", "kill");
  await recovered(page);
  for (const view of Object.keys(VIEWS) as (keyof typeof VIEWS)[]) {
    await page.getByTestId(`nav-${view}`).click();
    await page.locator("main .loading").waitFor({ state: "detached" });
    if (view === "till") {
      await page.getByTestId("till-send").click();
      await expect.poll(() => page.getByTestId("till-answer").textContent()).toContain("200");
    }
    await shoot(page, view);
  }
  await page.emulateMedia({ colorScheme: "dark" });
  await page.getByTestId("nav-overview").click();
  await isLive(page);
  await shoot(page, "overview-dark");
});
