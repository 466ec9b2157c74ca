import type { Page } from "playwright-core";
import { expect } from "vitest";

/** Starts customers from the page. */
export async function startFromPage(
  page: Page,
  version: string,
  rate: number,
  seconds: number,
): Promise<void> {
  await page.getByTestId("sim-version").selectOption(version);
  await page.getByTestId("sim-rate").fill(String(rate));
  await page.getByTestId("sim-duration").fill(String(seconds));
  await page.getByTestId("sim-start").click();
}

/** Waits until customers are under way, or gone. */
export async function customersRun(page: Page, running: boolean): Promise<void> {
  const progress = page.getByTestId("sim-progress");
  await expect.poll(() => progress.getAttribute("data-running")).toBe(String(running));
}

/** A figure of the customers' progress. */
export async function simFigure(page: Page, name: string): Promise<number> {
  const text = await page.getByTestId(`sim-${name}`).textContent();
  return Number((text ?? "").replaceAll(",", ""));
}
