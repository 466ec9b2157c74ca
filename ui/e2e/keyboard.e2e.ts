import type { Page } from "playwright-core";
import { expect } from "vitest";
import { Database } from "./support/database.ts";
import { startCustomers } from "./support/orders.ts";
import { story } from "./support/story.ts";
import { recovered, row, runsInGeneration } from "./support/tree.ts";

const VICTIM = "v1/batcher-0";
/** No view has so many stops for the tab key. */
const MOST_STOPS = 60;

/** What has the focus: its test id, or its path in the tree. */
function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const { dataset, tagName } = document.activeElement as HTMLElement;
    return dataset["path"] ?? dataset["testid"] ?? tagName;
  });
}

/** Presses the tab key until something wanted has the focus. */
async function tabTo(page: Page, wanted: (what: string) => boolean): Promise<string> {
  const passed: string[] = [];
  for (let stops = 0; stops < MOST_STOPS; stops += 1) {
    await page.keyboard.press("Tab");
    const what = await focused(page);
    if (wanted(what)) return what;
    passed.push(what);
  }
  throw new Error(`not reached: ${passed.join(", ")}`);
}

/** Whether what has the focus shows it. */
function focusIsSeen(page: Page): Promise<boolean> {
  return page.evaluate(() => {
    const style = getComputedStyle(document.activeElement ?? document.body);
    const outlined = style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) > 0;
    return outlined || style.boxShadow !== "none";
  });
}

story("an actor is reached and killed with the keyboard alone", async (stage) => {
  const node = await stage.node(stage.keep(Database.sqlite()));
  await startCustomers(node, 40, 60);
  const { page } = await stage.open(node.url);
  await tabTo(page, (what) => what === "nav-node");
  expect(await focusIsSeen(page)).toBe(true);
  await page.keyboard.press("Enter");
  await page.getByTestId(`actor-row-${VICTIM}`).waitFor();
  expect(new URL(page.url()).pathname).toBe("/node");

  expect(await tabTo(page, (what) => what === "root")).toBe("root");
  expect(await focusIsSeen(page)).toBe(true);
  const walked: string[] = [];
  for (let at = await focused(page); at !== VICTIM && walked.length < MOST_STOPS; at = await focused(page)) {
    walked.push(at);
    await page.keyboard.press("ArrowDown");
  }
  expect(walked.slice(0, 2)).toEqual(["root", "shared"]);
  await page.keyboard.press("End");
  expect(await focused(page)).not.toBe(VICTIM);
  await page.keyboard.press("Home");
  expect(await focused(page)).toBe("root");
  // Left folds what is below, right shows it again and then goes there.
  await page.keyboard.press("ArrowDown");
  const shared = page.getByTestId("actor-row-shared");
  await page.keyboard.press("ArrowLeft");
  expect(await shared.getAttribute("aria-expanded")).toBe("false");
  expect(await page.getByTestId("actor-row-shared/aggregator").count()).toBe(0);
  await page.keyboard.press("ArrowRight");
  expect(await shared.getAttribute("aria-expanded")).toBe("true");
  await page.keyboard.press("ArrowRight");
  expect(await focused(page)).toMatch(/^shared\//);
  while ((await focused(page)) !== VICTIM) await page.keyboard.press("ArrowDown");

  // It may be asked for once the page knows what this node allows.
  await expect.poll(() => row(page, VICTIM).getByTestId("act-kill").isEnabled()).toBe(true);
  await page.keyboard.press("Tab");
  expect(await focused(page)).toBe("act-kill");
  await page.keyboard.press("Enter");
  const dialog = page.getByTestId("confirm-dialog");
  await dialog.waitFor();
  expect(await focused(page)).toBe("confirm-ok");
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  // Back where it was asked for.
  expect(await focused(page)).toBe("act-kill");
  await page.keyboard.press("Space");
  await dialog.waitFor();
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });
  await runsInGeneration(page, VICTIM, 2);
  await recovered(page);
  expect(await focused(page)).toBe("act-kill");
});

story("the heat map is one stop, in which arrows move", async (stage) => {
  const node = await stage.node(stage.keep(Database.sqlite()));
  await startCustomers(node, 30, 60);
  const { page } = await stage.open(`${node.url}/sales`);
  // In the order of the menu, once that is known.
  const first = page.getByTestId("heat-map").locator("td").first();
  await expect.poll(() => first.getAttribute("data-testid")).toBe("heat-uptown-cappuccino");
  expect(await tabTo(page, (what) => what.startsWith("heat-"))).toBe("heat-uptown-cappuccino");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowRight");
  expect(await focused(page)).toBe("heat-downtown-americano");
  await page.getByText(/^downtown, americano: [\d,]+ orders?, [\d.,]+$/).waitFor();
  await page.keyboard.press("Tab");
  expect(await focused(page)).not.toMatch(/^heat-/);
});
