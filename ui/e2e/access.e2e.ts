import { expect } from "vitest";
import { Database } from "./support/database.ts";
import { picture } from "./support/orders.ts";
import { story } from "./support/story.ts";
import { row, runsInGeneration } from "./support/tree.ts";

const VICTIM = "v1/batcher-0";
const TOKEN = "an-admin-token-of-the-tests";

story("a node that listens everywhere without a token is read-only", async (stage) => {
  const node = await stage.node(stage.keep(Database.sqlite()), { listen: "0.0.0.0:0" });
  const { page } = await stage.open(`${node.url}/node`);
  await page.getByTestId("read-only-note").getByText("no admin token").waitFor();
  for (const act of ["act-kill", "act-panic", "act-stall"]) {
    expect(await row(page, VICTIM).getByTestId(act).isDisabled(), act).toBe(true);
  }
  expect(await page.getByTestId("token-field").count()).toBe(0);
  await page.getByTestId("nav-till").click();
  await expect.poll(() => page.getByTestId("sim-start").isDisabled()).toBe(true);
  await page.getByText("Nobody may start customers here").waitFor();
  // Orders are taken from everybody.
  await page.getByTestId("till-send").click();
  await expect.poll(() => page.getByTestId("till-answer").textContent()).toContain("200");
});

story("where there is a token it is asked for, told once, and forgotten with the session", async (stage) => {
  const node = await stage.node(stage.keep(Database.sqlite()), {
    listen: "0.0.0.0:0",
    settings: { COFFEE_RT_ADMIN_TOKEN: TOKEN },
  });
  const { page, watch } = await stage.open(`${node.url}/node`);
  const field = page.getByTestId("token-field");
  const kill = row(page, VICTIM).getByTestId("act-kill");
  expect(await kill.isDisabled()).toBe(true);
  await field.fill("a wrong one");
  await kill.click();
  watch.allow(/status of 40[13]/);
  await page.getByTestId("confirm-ok").click();
  await page.getByText(`kill of ${VICTIM} failed:`).waitFor();
  const restarts = async () => (await picture(node)).actors.find(({ path }) => path === VICTIM)?.restarts;
  expect(await restarts()).toBe(0);

  await field.fill(TOKEN);
  await kill.click();
  await page.getByTestId("confirm-ok").click();
  await runsInGeneration(page, VICTIM, 2);
  // The till knows it too, also after the page is loaded again.
  await page.goto(`${node.url}/till`);
  await page.getByTestId("sim-duration").fill("60");
  await page.getByTestId("sim-start").click();
  await expect.poll(() => page.getByTestId("sim-progress").getAttribute("data-running")).toBe("true");
  expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain(TOKEN);
  expect(page.url()).not.toContain(TOKEN);
  const { page: other } = await stage.open(`${node.url}/node`);
  expect(await other.getByTestId("token-field").inputValue()).toBe("");
});
