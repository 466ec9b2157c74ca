import type { Page } from "playwright-core";
import { expect } from "vitest";
import { Database } from "./support/database.ts";
import type { Node } from "./support/node.ts";
import { nodeInfo, sales } from "./support/orders.ts";
import { story } from "./support/story.ts";
import { customersRun, simFigure, startFromPage } from "./support/till.ts";

/** Each wrong thing that can be typed, the field beside which the node's words must stand, and some of them. */
const WRONG = [
  ["till-price", "4.505", "price", /two decimals|decimal/],
  ["till-price", "", "price", /./],
  ["till-price", "10000.01", "price", /10000|at most|between/],
  ["till-time", "2099-01-01T00:00:00", "timestamp", /ahead|future|minutes/],
  ["till-key", "no key", "Idempotency-Key", /uuid/i],
] as const;

async function send(page: Page, status: number): Promise<void> {
  const answered = page.waitForResponse((answer) => answer.url().endsWith("/order"));
  await page.getByTestId("till-send").click();
  expect((await answered).status()).toBe(status);
  await expect.poll(() => page.getByTestId("till-answer").textContent()).toContain(String(status));
}

/** Waits until a node shows so many orders: it answers one a moment before. */
async function shows(node: Node, orders: number): Promise<void> {
  await expect.poll(async () => (await sales(node)).stored_total).toBe(orders);
}

story("an order by hand is stored once, and its answer is shown", async (stage) => {
  const node = await stage.node(stage.keep(Database.sqlite()));
  const { page, watch } = await stage.open(`${node.url}/till`);
  await page.getByTestId("till-drink").selectOption("latte");
  await page.getByTestId("till-store").selectOption("southend");
  await page.getByTestId("till-price").fill("4.05");
  await page.getByRole("button", { name: "New key" }).click();
  await send(page, 200);
  // Repeated with its key it is not stored again.
  await send(page, 200);
  await shows(node, 1);
  const { recent_orders: recent, stored_total: total } = await sales(node);
  expect([total, recent[0]?.drink, recent[0]?.store, recent[0]?.price]).toEqual([
    1,
    "latte",
    "southend",
    4.05,
  ]);
  expect(await page.getByTestId("till-answer").textContent()).toContain(`"id": ${recent[0]?.id ?? ""}`);
  // Another order with the same key is refused, and that is said.
  await page.getByTestId("till-price").fill("5");
  watch.allow(/status of 4\d\d/);
  await send(page, 422);
  await page.getByTestId("till-error-Idempotency-Key").waitFor();
  expect((await sales(node)).stored_total).toBe(1);
});

story("what is wrong with an order stands beside its field", async (stage) => {
  const node = await stage.node(stage.keep(Database.sqlite()));
  const { page, watch } = await stage.open(`${node.url}/till`);
  watch.allow(/status of 4\d\d/);
  for (const [input, typed, field, words] of WRONG) {
    const before = await page.getByTestId(input).inputValue();
    await page.getByTestId(input).fill(typed);
    await send(page, 422);
    const error = page.getByTestId(`till-error-${field}`);
    await expect.poll(() => error.textContent(), { message: `${field}: ${typed}` }).toMatch(words);
    expect(await page.getByTestId(input).getAttribute("aria-invalid")).toBe("true");
    const described = await page.getByTestId(input).getAttribute("aria-describedby");
    expect(await page.locator(`#${described ?? ""}`).textContent()).toMatch(words);
    await page.getByTestId(input).fill(before);
  }
  await send(page, 200);
  expect(await page.locator('[data-testid^="till-error-"]').count()).toBe(0);
  await shows(node, 1);
});

story("an order for a menu that changed stands beside drink and store", async (stage) => {
  const database = stage.keep(Database.sqlite());
  const old = await stage.node(database, {
    settings: { COFFEE_RT_MENU__DRINKS: "[mocha]", COFFEE_RT_MENU__STORES: "[harbour]" },
  });
  const { page, watch } = await stage.open(`${old.url}/till`);
  await page.getByTestId("till-drink").selectOption("mocha");
  await old.stop();
  watch.allow(/./);
  await stage.node(stage.keep(Database.sqlite()), { listen: `127.0.0.1:${old.port}` });
  // The form keeps what was chosen until the new menu is known.
  await page.route("**/api/node", (route) => route.abort());
  await send(page, 422);
  for (const field of ["drink", "store"]) {
    await page.getByTestId(`till-error-${field}`).waitFor();
  }
});

story("customers come from the page, are stopped by it, and break no promise", async (stage) => {
  const node = await stage.node(stage.keep(Database.sqlite()));
  const { page, watch } = await stage.open(`${node.url}/till`);
  await startFromPage(page, "v1", 60, 300);
  await customersRun(page, true);
  await expect.poll(() => simFigure(page, "sent")).toBeGreaterThan(100);
  await page.getByTestId("sim-stop").click();
  await customersRun(page, false);
  expect(await simFigure(page, "broken-promises")).toBe(0);
  const acknowledged = await simFigure(page, "acknowledged");
  expect(acknowledged).toBeGreaterThan(50);
  await expect.poll(async () => (await sales(node)).stored_total).toBeGreaterThanOrEqual(acknowledged);
  // What the node refuses stands beside its field.
  watch.allow(/status of 4\d\d/);
  const { customers } = await nodeInfo(node);
  await startFromPage(page, "v1", customers.max_rate_per_second + 1, 1);
  await page.getByTestId("sim-error-rate_per_second").waitFor();
});

story("customers come to each version, through Redis and Kafka", async (stage) => {
  const database = await Database.postgres().withRedis();
  const node = await stage.node(stage.keep(database.withKafka()));
  const { page } = await stage.open(`${node.url}/till`);
  let acknowledged = 0;
  for (const version of ["v1", "v2", "v3"]) {
    await startFromPage(page, version, 60, 2);
    // The version tells it from the run before.
    const progress = page.getByTestId("sim-progress");
    await expect
      .poll(() => progress.textContent())
      .toMatch(new RegExp(`Last run.*${version}, 60 a second`, "s"));
    expect(await simFigure(page, "broken-promises"), version).toBe(0);
    const own = await simFigure(page, "acknowledged");
    expect(own, version).toBeGreaterThan(30);
    acknowledged += own;
  }
  await page.getByTestId("nav-node").click();
  for (const [version, edges] of [
    ["v1", ["accepted", "stored"]],
    ["v2", ["accepted", "appended", "read", "stored"]],
    ["v3", ["accepted", "appended", "read", "stored"]],
  ] as const) {
    for (const edge of edges) {
      const flow = page.getByTestId(`flow-${version}-${edge}`);
      await expect.poll(() => flow.textContent(), { message: `${version} ${edge}` }).toMatch(/^[\d.]+ /);
    }
  }
  await page.getByTestId("nav-overview").click();
  const total = async () =>
    Number((await page.getByTestId("stored-total").textContent())?.replaceAll(",", ""));
  await expect.poll(total).toBeGreaterThanOrEqual(acknowledged);
});
