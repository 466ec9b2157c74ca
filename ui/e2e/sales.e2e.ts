import type { Page } from "playwright-core";
import { expect } from "vitest";
import { money } from "../src/lib/format.ts";
import { Database } from "./support/database.ts";
import { agree } from "./support/figures.ts";
import { orders, past, place, sales, startCustomers, stopCustomers } from "./support/orders.ts";
import { story } from "./support/story.ts";

const text = (page: Page, id: string) => page.getByTestId(id).textContent();

story("orders that are posted appear, with the figures of the node", async (stage) => {
  const node = await stage.node(stage.keep(Database.sqlite()));
  const { page } = await stage.open(`${node.url}/sales`);
  expect(await text(page, "stored-total")).toBe("0");
  expect(await text(page, "hour-revenue")).toBe("0.00");
  expect(await text(page, "freshness")).toBe("—");
  const all = orders(37);
  await place(node, all);
  await expect.poll(() => text(page, "stored-total")).toBe("37");
  await agree(page, node);

  const stored = await sales(node);
  const revenue = stored.hours.reduce((sum, hour) => sum + Math.round(hour.revenue * 100), 0);
  const sold = all.reduce((sum, order) => sum + Math.round(Number(order.price) * 100), 0);
  expect(revenue).toBe(sold);
  const last = stored.recent_orders[0];
  const rows = page.getByTestId("recent-orders").locator("tbody tr[data-testid]");
  expect(await rows.count()).toBe(10);
  const row = page.getByTestId(`recent-${last?.id ?? ""}`);
  expect(await row.textContent()).toContain(`${last?.store ?? ""}${last?.drink ?? ""}${money(last?.price)}`);
  expect(await page.getByTestId("top-hour").textContent()).toContain("latte");
  expect(await page.getByTestId("top-month").textContent()).toContain("latte");
});

story("the rate follows the orders, and freshness is told", async (stage) => {
  const node = await stage.node(stage.keep(Database.sqlite()));
  const { page } = await stage.open(node.url);
  expect(await text(page, "rate-now")).toMatch(/^(0\.0|—)$/);
  // Freshness is of an order that is newer than the one before.
  await place(node, orders(1));
  await expect.poll(() => text(page, "stored-total")).toBe("1");
  await startCustomers(node, 40, 60);
  await expect.poll(async () => Number(await text(page, "rate-now"))).toBeGreaterThan(20);
  // More than nothing, and less than a second.
  await expect.poll(() => text(page, "freshness")).toMatch(/^(?!0(\.0+)? )\d{1,3}(\.\d+)? ms$/);
  await stopCustomers(node);
  await expect.poll(() => text(page, "rate-now")).toBe("0.0");
  await agree(page, node);
});

story("nothing is known before the node's first view, and nothing is shown as 0", async (stage) => {
  const node = await stage.node(stage.keep(Database.away()), { ready: false });
  const { context, watch } = await stage.context();
  const page = await context.newPage();
  await watch.hear(page);
  await page.goto(node.url);
  // By then the page works, and knows what can be known.
  await page.getByText("away", { exact: true }).waitFor();
  for (const id of ["hour-revenue", "hour-orders", "rate-now", "stored-total", "freshness"]) {
    expect(await text(page, id), id).toBe("—");
  }
  expect(await page.getByTestId("heat-map").count()).toBe(0);
  expect(await page.getByTestId("conn-badge").getAttribute("data-state")).not.toBe("live");
});

story("a page that is opened after the node was started anew has the history at once", async (stage) => {
  const first = await stage.node(stage.keep(Database.sqlite()));
  await place(first, orders(25));
  await first.crash();
  const node = await stage.again(first);
  const { page } = await stage.open(`${node.url}/sales`);
  await agree(page, node);
  const minutes = (await past(node)).minutes.orders.reduce((sum, orders) => sum + orders, 0);
  expect(minutes).toBe(25);
  const chart = page.getByTestId("chart-minutes");
  await expect.poll(() => chart.textContent()).toContain("25 in all");
  // Bars are drawn, also of the hours of today.
  for (const id of ["chart-minutes", "chart-hours"]) {
    const inked = () => page.getByTestId(id).locator("canvas").evaluate(isInked);
    await expect.poll(inked, { message: id }).toBe(true);
  }
});

/** Whether a chart has anything in its plot but axes and grid: the accent is the only colour with much red and little blue. */
function isInked(element: Element): boolean {
  const canvas = element as HTMLCanvasElement;
  const pixels = canvas.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
  let inked = 0;
  for (let at = 0; at < pixels.length; at += 4) {
    const [red = 0, , blue = 0, alpha = 0] = pixels.slice(at, at + 4);
    if (alpha > 200 && red - blue > 50) inked += 1;
  }
  return inked > 20;
}
