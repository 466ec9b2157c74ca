import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";

/** The row of an actor. */
export const row = (page: Page, path: string): Locator => page.getByTestId(`actor-row-${path}`);

/** The generation that the page shows of an actor. */
export async function generation(page: Page, path: string): Promise<number> {
  return Number(await row(page, path).getAttribute("data-generation"));
}

/** Waits until an actor runs in at least this generation. */
export async function runsInGeneration(page: Page, path: string, least: number): Promise<void> {
  const face = async () => ({
    state: await row(page, path).getAttribute("data-state"),
    isNew: (await generation(page, path)) >= least,
  });
  await expect
    .poll(face, { message: `${path} in generation ${least}` })
    .toEqual({ state: "running", isNew: true });
}

/** The steps of the recovery. */
export const STEPS = ["killed", "restarted", "first-order", "drained"] as const;

/** Waits until all steps of a recovery are done, and gives what stands beside each. */
export async function recovered(page: Page): Promise<string[]> {
  for (const step of STEPS) {
    const done = () => page.getByTestId(`timeline-${step}`).getAttribute("data-done");
    await expect.poll(done, { message: `step ${step}` }).toBe("true");
  }
  return page.locator("[data-testid=timeline] .node-step-ms").allTextContents();
}

/** An event as the log shows it. */
export interface ShownEvent {
  readonly seq: number;
  readonly kind: string;
  readonly path: string;
  readonly generation: string;
}

/** The events that the log has in the document. */
export function shownEvents(page: Page): Promise<ShownEvent[]> {
  return page.getByTestId("event-log").evaluate((log) => {
    const text = (line: Element, name: string) => line.querySelector(`.node-line-${name}`)?.textContent ?? "";
    return [...log.querySelectorAll('[data-testid^="event-"]')].map((line) => ({
      seq: Number(text(line, "seq")),
      kind: text(line, "kind"),
      path: text(line, "path"),
      generation: text(line, "generation"),
    }));
  });
}

/** What the log shows of one actor from an event on: kinds with generations. */
export async function storyOf(page: Page, path: string, after: number): Promise<string[]> {
  const events = await shownEvents(page);
  return events
    .filter((event) => event.path === path && event.seq > after)
    .map((event) => `${event.kind} ${event.generation}`);
}

/** The newest event that the log shows. */
export async function newestSeq(page: Page): Promise<number> {
  return Math.max(0, ...(await shownEvents(page)).map((event) => event.seq));
}
