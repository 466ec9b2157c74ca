import { getInfo, type Answer } from "../lib/api.ts";
import { Feed } from "../lib/feed.ts";
import type { NodeInfo, Picture, Sales } from "../lib/wire.ts";
import { SalesStore } from "../sales/store.ts";

/** After a failure the node's description is read again after this. */
export const INFO_RETRY_MS = 3_000;

/** What the node says about itself: read again whenever its feed comes back, as it may have been started anew. */
export class InfoStore {
  private info: NodeInfo | null = null;
  private readonly listeners = new Set<() => void>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private connections = 0;
  private reading = 0;

  constructor(
    private readonly feed: Feed<Picture>,
    private readonly read: () => Promise<Answer<NodeInfo>> = getInfo,
  ) {}

  /** Calls `listener` after each change; the answer ends that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** What is known now. */
  readonly getSnapshot = (): NodeInfo | null => this.info;

  /** Begins to read; the answer ends that. */
  start(): () => void {
    const end = this.feed.subscribe(() => this.heard());
    void this.load();
    return () => {
      end();
      clearTimeout(this.timer);
      this.reading += 1;
    };
  }

  private heard(): void {
    const { connections } = this.feed.getSnapshot();
    if (connections === this.connections) return;
    const first = this.connections === 0;
    this.connections = connections;
    // The first reading is under way, or has its own next try.
    if (!first) void this.load();
  }

  private async load(): Promise<void> {
    clearTimeout(this.timer);
    this.reading += 1;
    const reading = this.reading;
    const answer = await this.read();
    if (reading !== this.reading) return;
    if (!answer.ok) {
      this.timer = setTimeout(() => void this.load(), INFO_RETRY_MS);
      return;
    }
    this.info = answer.value;
    for (const listener of this.listeners) listener();
  }
}

/** Where the page knows everything from; it lives as long as the page. */
export interface Sources {
  readonly sales: Feed<Sales>;
  readonly actors: Feed<Picture>;
  readonly store: SalesStore;
  readonly info: InfoStore;
}

/** The sources of this page's node, connected. */
export function connect(): Sources {
  const sales = new Feed<Sales>("/ws/sales");
  const actors = new Feed<Picture>("/ws/actors");
  const store = new SalesStore(sales);
  const info = new InfoStore(actors);
  store.start();
  info.start();
  sales.start();
  actors.start();
  window.addEventListener("online", () => {
    sales.retryNow();
    actors.retryNow();
  });
  return { sales, actors, store, info };
}
