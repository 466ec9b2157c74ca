import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { expect } from "vitest";
import type { Database } from "./database.ts";
import { Node, type NodeOptions } from "./node.ts";
import { localPage } from "./local-page.ts";
import { outFile } from "./places.ts";
import type { Proxy } from "./proxy.ts";
import { Watch } from "./watch.ts";

const SIZE = { width: 1280, height: 800 };
/** How long Chromium may take for one step. */
const STEP_TIMEOUT_MS = 15_000;

/** A view of the page, and where it is. */
export const VIEWS = { overview: "/", sales: "/sales", node: "/node", till: "/till", docs: "/docs" } as const;

/** What a story plays on: its databases, nodes and pages. All end with it. */
export class Stage {
  private readonly databases: Database[] = [];
  private readonly nodes: Node[] = [];
  private readonly proxies: Proxy[] = [];
  private readonly contexts: { context: BrowserContext; watch: Watch }[] = [];

  constructor(
    readonly browser: Browser,
    private readonly name: string,
  ) {}

  /** Takes a database into care. */
  keep(database: Database): Database {
    this.databases.push(database);
    return database;
  }

  /** Starts a node. */
  async node(database: Database, options: NodeOptions = {}): Promise<Node> {
    const node = await Node.start(database, options);
    this.nodes.push(node);
    return node;
  }

  /** Starts a node that ended anew, on its port. */
  async again(node: Node): Promise<Node> {
    const next = await node.again();
    this.nodes.push(next);
    return next;
  }

  /** Takes a proxy into care: pages may talk to it. */
  through(proxy: Proxy): Proxy {
    this.proxies.push(proxy);
    return proxy;
  }

  /** A fresh profile, in which whatever a page must not do is heard. */
  async context(options: BrowserContextOptions = {}): Promise<{ context: BrowserContext; watch: Watch }> {
    const context = await this.browser.newContext({
      viewport: SIZE,
      locale: "en-GB",
      timezoneId: "UTC",
      ...options,
    });
    context.setDefaultTimeout(STEP_TIMEOUT_MS);
    await localPage(context);
    const watch = new Watch(context, () =>
      [...this.nodes, ...this.proxies].map(({ port }) => `127.0.0.1:${port}`),
    );
    const both = { context, watch };
    this.contexts.push(both);
    return both;
  }

  /** Opens a view in a fresh profile and waits until it is live. */
  async open(url: string, options: BrowserContextOptions = {}): Promise<{ page: Page; watch: Watch }> {
    const { context, watch } = await this.context(options);
    const page = await this.openIn(context, watch, url);
    return { page, watch };
  }

  /** Opens a view in a profile that is there. */
  async openIn(context: BrowserContext, watch: Watch, url: string): Promise<Page> {
    const page = await context.newPage();
    await watch.hear(page);
    await page.goto(url);
    await isLive(page);
    return page;
  }

  /** Fails where a page did what it must not. */
  check(): void {
    for (const { watch } of this.contexts) expect(watch.complaints, "what pages must not do").toEqual([]);
  }

  /** Adds to a failure what the nodes logged, what the pages did, and how they looked. */
  async explain(error: unknown): Promise<unknown> {
    if (!(error instanceof Error)) return error;
    const parts = [error.message];
    for (const { context, watch } of this.contexts) {
      for (const [index, page] of context.pages().entries()) {
        const file = outFile(`${this.name.replaceAll(/[^a-zA-Z0-9]+/g, "-")}-${index}.png`);
        const shown = await page
          .screenshot({ path: file, timeout: STEP_TIMEOUT_MS })
          .then(() => file, String);
        parts.push(`== page ${page.url()}, screenshot: ${shown}`);
      }
      parts.push(...watch.complaints);
    }
    for (const node of this.nodes) parts.push(`== log of ${node.url}`, node.log);
    error.message = parts.join("\n");
    return error;
  }

  /** Ends everything; a node that does not end well fails the story. */
  async end(): Promise<void> {
    for (const { context } of this.contexts) await context.close();
    for (const proxy of this.proxies) proxy.end();
    const ends = await Promise.allSettled(this.nodes.map((node) => node.stop()));
    for (const database of this.databases) database.end();
    const failed = ends.find((end) => end.status === "rejected");
    if (failed) throw failed.reason;
  }
}

/** Waits until both feeds of a page are live. */
export async function isLive(page: Page): Promise<void> {
  await page.locator('[data-testid="conn-badge"][data-state="live"]').waitFor();
}
