import type { Page } from "playwright-core";
import { expect } from "vitest";
import { Database } from "./support/database.ts";
import { inject, orders, place, sales, startCustomers } from "./support/orders.ts";
import { Proxy } from "./support/proxy.ts";
import { agree } from "./support/figures.ts";
import { isLive } from "./support/stage.ts";
import { story } from "./support/story.ts";
import { shownEvents, storyOf } from "./support/tree.ts";
import { NODE_AWAY } from "./support/watch.ts";

const total = (page: Page) => page.getByTestId("stored-total").textContent();

async function isReconnecting(page: Page): Promise<void> {
  await page.locator('[data-testid="conn-badge"][data-state="reconnecting"]').waitFor();
}

story("a page comes back by itself when its node is killed and started anew", async (stage) => {
  const first = await stage.node(stage.keep(Database.sqlite()));
  const { page, watch } = await stage.open(`${first.url}/sales`);
  await place(first, orders(12));
  await expect.poll(() => total(page)).toBe("12");
  watch.allow(...NODE_AWAY);
  await first.crash();
  await isReconnecting(page);
  // What was known stays, and is said to be old.
  expect(await total(page)).toBe("12");
  expect(await page.getByTestId("conn-badge").textContent()).toMatch(/as of \d\d:\d\d:\d\d/);

  const node = await stage.again(first);
  await place(node, orders(7));
  await isLive(page);
  await expect.poll(() => total(page)).toBe("19");
  await agree(page, node);
  expect((await sales(node)).stored_total).toBe(19);
});

story("the node's view marks that the node was started anew", async (stage) => {
  const first = await stage.node(stage.keep(Database.sqlite()));
  await inject(first, "v1/batcher-0", "kill");
  const { page, watch } = await stage.open(`${first.url}/node`);
  await expect.poll(async () => (await shownEvents(page)).length).toBeGreaterThan(5);
  watch.allow(...NODE_AWAY);
  await first.crash();
  await isReconnecting(page);
  await page.getByText("Not connected: this is how the node was").waitFor();
  await stage.again(first);
  await isLive(page);
  await page.getByText("The node started anew").waitFor();
  // Numbers begin anew, and nothing that was there before is lost.
  await page.getByTestId("event-filter").fill("fan-out");
  const started = async () =>
    (await storyOf(page, "shared/fan-out", 0)).filter((event) => event === "started gen 1");
  await expect.poll(async () => (await started()).length).toBe(2);
});

story("a connection that is cut, or dead without a word, is made anew", async (stage) => {
  const node = await stage.node(stage.keep(Database.sqlite()));
  const wire = stage.through(await Proxy.before(node));
  const { page, watch } = await stage.open(wire.url);
  watch.allow(...NODE_AWAY);
  await startCustomers(node, 20, 60);
  await expect.poll(() => total(page)).not.toBe("0");
  const states = await page.getByTestId("conn-badge").evaluateHandle((badge) => {
    const seen: (string | null)[] = [];
    new MutationObserver(() => seen.push(badge.getAttribute("data-state"))).observe(badge, {
      attributeFilter: ["data-state"],
    });
    return seen;
  });
  for (const loss of ["cut", "deaden"] as const) {
    await states.evaluate((seen) => seen.splice(0));
    wire[loss]();
    const seen = async () => (await states.jsonValue()).join(" ");
    // A cut ends both feeds at once. Silence is each feed's own: they may be given up one after the other.
    const wanted = { cut: /^reconnecting live$/, deaden: /^reconnecting live( reconnecting live)?$/ }[loss];
    await expect.poll(seen, { message: loss }).toMatch(wanted);
    const before = await total(page);
    await expect.poll(() => total(page), { message: `${loss}: orders go on` }).not.toBe(before);
  }
});

for (const bus of [true, false]) {
  story(`pages of two nodes on one PostgreSQL agree, ${bus ? "with" : "without"} a Redis`, async (stage) => {
    const database = stage.keep(Database.postgres());
    if (bus) await database.withRedis();
    const nodes = [await stage.node(database), await stage.node(database)] as const;
    const pages = [];
    for (const node of nodes) pages.push((await stage.open(`${node.url}/sales`)).page);
    await Promise.all(nodes.map((node, index) => place(node, orders(15 + index))));
    for (const [index, page] of pages.entries()) {
      await expect.poll(() => total(page), { message: `page ${index}` }).toBe("31");
      await agree(page, nodes[index === 0 ? 1 : 0]);
    }
  });
}
