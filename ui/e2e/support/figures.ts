import type { Page } from "playwright-core";
import { expect } from "vitest";
import { count, money } from "../../src/lib/format.ts";
import type { Sales } from "../../src/lib/wire.ts";
import type { Node } from "./node.ts";
import { sales } from "./orders.ts";

/** What the page says of this hour, and what it must say by the node's own figures. */
async function hourOf(page: Page, node: Node): Promise<{ shown: unknown; told: unknown }> {
  const told = await sales(node);
  const cells = told.cells.map((cell) => `heat-${cell.store}-${cell.drink}`);
  const shown = await page.evaluate(
    (ids) => ids.map((id) => document.querySelector(`[data-testid="${id}"]`)?.textContent ?? "is not there"),
    ["hour-revenue", "hour-orders", "stored-total", ...cells],
  );
  return { shown, told: figures(told) };
}

function figures({ current_hour: hour, stored_total: total, cells }: Sales): string[] {
  return [
    money(hour?.revenue ?? 0),
    count(hour?.order_count ?? 0),
    count(total),
    ...cells.map((cell) => count(cell.order_count)),
  ];
}

/** Waits until a page shows the figures of this hour that a node tells. */
export async function agree(page: Page, node: Node): Promise<void> {
  const compare = async () => {
    const { shown, told } = await hourOf(page, node);
    return JSON.stringify(shown) === JSON.stringify(told) ? "agree" : JSON.stringify({ shown, told });
  };
  await expect.poll(compare, { message: "page and node" }).toBe("agree");
}
