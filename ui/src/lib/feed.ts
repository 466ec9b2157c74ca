import { pageNow } from "./clock.ts";

/** A socket that says nothing for this long is given up: the node sends at least one frame each second. */
export const SILENCE_MS = 5_000;
/** The first wait before another try; each further one is twice as long. */
export const FIRST_WAIT_MS = 250;
/** The longest wait before another try. */
export const LONGEST_WAIT_MS = 5_000;

/** What a feed is doing. `live` only from its first frame on. */
export type FeedState = "connecting" | "live" | "reconnecting" | "stopped";

/** What is known from a feed; a new object at each change. */
export interface FeedSnapshot<T> {
  readonly state: FeedState;
  /** The last frame, kept while reconnecting. */
  readonly frame: T | null;
  /** When the last frame came, by the page's clock. */
  readonly receivedAt: number | null;
  /** How often it became live: what is read beside it is read again at each change. */
  readonly connections: number;
}

/** The part of a WebSocket that a feed uses. */
export type Socket = Pick<WebSocket, "onmessage" | "onclose" | "onerror" | "close">;

/** What a feed needs from outside; tests bring their own. */
export interface FeedWorld {
  readonly open: (path: string) => Socket;
  readonly now: () => number;
  readonly random: () => number;
}

const BROWSER: FeedWorld = {
  open: (path) => new WebSocket(new URL(path, location.href.replace(/^http/, "ws"))),
  now: pageNow,
  random: Math.random,
};

/** The wait before try `attempt` (0 is the first): doubled each time, and spread so that pages do not come at once. */
export function waitBefore(attempt: number, random: number): number {
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt, 16));
  return wait * (0.5 + random / 2);
}

/** A WebSocket of JSON frames that is opened again whenever it ends; a store for `useSyncExternalStore`. */
export class Feed<T> {
  private snapshot: FeedSnapshot<T> = { state: "stopped", frame: null, receivedAt: null, connections: 0 };
  private readonly listeners = new Set<() => void>();
  private socket: Socket | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private attempt = 0;

  constructor(
    private readonly path: string,
    private readonly world: FeedWorld = BROWSER,
  ) {}

  /** Calls `listener` after each change; the answer ends that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** What is known now. */
  readonly getSnapshot = (): FeedSnapshot<T> => this.snapshot;

  /** Begins to connect, unless it has. */
  start(): void {
    if (this.snapshot.state !== "stopped") return;
    this.attempt = 0;
    this.change({ state: "connecting" });
    this.connect();
  }

  /** Ends the connection and makes no other. */
  stop(): void {
    this.drop();
    this.change({ state: "stopped" });
  }

  /** Ends a wait: the network came back. */
  retryNow(): void {
    if (this.snapshot.state === "stopped" || this.socket) return;
    clearTimeout(this.timer);
    this.connect();
  }

  private connect(): void {
    const socket = this.world.open(this.path);
    this.socket = socket;
    socket.onmessage = (event: MessageEvent) => this.receive(event.data);
    socket.onclose = () => this.lost();
    socket.onerror = () => this.lost();
    this.expectFrame();
  }

  private receive(data: unknown): void {
    const frame = parse<T>(data);
    if (frame === null) return;
    this.expectFrame();
    this.attempt = 0;
    const fresh = this.snapshot.state !== "live";
    const connections = this.snapshot.connections + (fresh ? 1 : 0);
    this.change({ state: "live", frame, receivedAt: this.world.now(), connections });
  }

  private expectFrame(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.lost(), SILENCE_MS);
  }

  private lost(): void {
    this.drop();
    this.timer = setTimeout(() => this.connect(), waitBefore(this.attempt, this.world.random()));
    this.attempt += 1;
    if (this.snapshot.state !== "reconnecting") this.change({ state: "reconnecting" });
  }

  private drop(): void {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    // A socket that was given up may still speak.
    socket.onmessage = null;
    socket.onclose = null;
    socket.onerror = null;
    socket.close();
  }

  private change(part: Partial<FeedSnapshot<T>>): void {
    this.snapshot = { ...this.snapshot, ...part };
    for (const listener of this.listeners) listener();
  }
}

function parse<T>(data: unknown): T | null {
  if (typeof data !== "string") return null;
  try {
    const value: unknown = JSON.parse(data);
    // The node and this page are of one build, so a frame is trusted to have its shape.
    return typeof value === "object" && value !== null ? (value as T) : null;
  } catch {
    return null;
  }
}
