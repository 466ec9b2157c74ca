import type { Browser } from "playwright-core";
import { afterAll, beforeAll, test } from "vitest";
import { launchChromium } from "./chromium.ts";
import { Stage } from "./stage.ts";

let browser: Browser | undefined;

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

/** A story: it fails with the nodes' logs, the pages' errors and screenshots. */
export function story(name: string, play: (stage: Stage) => Promise<void>): void {
  test(name, async () => {
    if (!browser) throw new Error("no Chromium");
    const stage = new Stage(browser, name);
    try {
      await play(stage);
      stage.check();
    } catch (error) {
      const explained = await stage.explain(error);
      await stage.end().catch(() => undefined); // The failure before is the one that counts.
      throw explained;
    }
    await stage.end();
  });
}
