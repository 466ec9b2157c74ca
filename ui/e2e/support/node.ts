import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { expect } from "vitest";
import type { Database } from "./database.ts";
import { needed } from "./places.ts";

/** Lines of its log that are kept to explain a failure. */
const LOG_LINES = 150;
const LISTEN_DEADLINE_MS = 20_000;
const STOP_DEADLINE_MS = 20_000;

const running = new Set<ChildProcess>();
// No node outlives the stories, however they end.
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** How a node is started. */
export interface NodeOptions {
  /** Where it listens; the node chooses a free port unless told. */
  readonly listen?: string;
  /** More of its environment. */
  readonly settings?: Record<string, string>;
  /** False where it cannot become ready. */
  readonly ready?: boolean;
}

/** A node of the real binary, as a process. */
export class Node {
  readonly lines: string[] = [];
  port = 0;

  private constructor(
    private readonly child: ChildProcess,
    private readonly database: Database,
    private readonly options: NodeOptions,
  ) {}

  /** Starts one and waits until it is ready. */
  static async start(database: Database, options: NodeOptions = {}): Promise<Node> {
    const listen = options.listen ?? "127.0.0.1:0";
    const child = spawn(
      needed("COFFEE_RT_BIN", "run make page"),
      ["serve", "--listen", listen, "--log-format", "json"],
      { cwd: database.folder, env: environment(database, options), stdio: ["ignore", "pipe", "pipe"] },
    );
    running.add(child);
    child.once("exit", () => running.delete(child));
    const node = new Node(child, database, options);
    await node.listening();
    if (options.ready ?? true) await node.ready();
    return node;
  }

  /** Where it is reached: by loopback also where it listens everywhere. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Its last lines. */
  get log(): string {
    return this.lines.join("\n");
  }

  /** Waits until it can acknowledge orders. */
  async ready(): Promise<void> {
    const status = () => fetch(`${this.url}/readyz`).then((answer) => answer.status, String);
    await expect.poll(status, { message: `the node is ready\n${this.log}` }).toBe(200);
  }

  /** `kill -9`. */
  async crash(): Promise<void> {
    await this.end("SIGKILL");
  }

  /** SIGTERM, and a well-ordered end. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const code = await this.end("SIGTERM");
    if (code !== 0) throw new Error(`the node ended with ${code}\n${this.log}`);
  }

  /** A new process on the same port, database and settings. */
  async again(): Promise<Node> {
    const host = (this.options.listen ?? "127.0.0.1:0").split(":")[0];
    return Node.start(this.database, { ...this.options, listen: `${host}:${this.port}` });
  }

  private async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode;
    const ended = once(this.child, "exit");
    this.child.kill(signal);
    const late = setTimeout(() => this.child.kill("SIGKILL"), STOP_DEADLINE_MS);
    await ended;
    clearTimeout(late);
    return this.child.exitCode;
  }

  private listening(): Promise<void> {
    return new Promise((done, fail) => {
      const give = (why: string) => fail(new Error(`the node does not listen: ${why}\n${this.log}`));
      const late = setTimeout(() => give("too late"), LISTEN_DEADLINE_MS);
      this.child.once("error", (error) => give(error.message));
      this.child.once("exit", (code) => give(`it ended with ${code}`));
      this.keep(this.child.stderr, () => undefined);
      this.keep(this.child.stdout, (line) => {
        const port = portOf(line);
        if (port === null) return;
        this.port = port;
        clearTimeout(late);
        done();
      });
    });
  }

  private keep(stream: Readable | null, hear: (line: string) => void): void {
    if (!stream) return;
    createInterface({ input: stream }).on("line", (line) => {
      this.lines.push(line);
      if (this.lines.length > LOG_LINES) this.lines.shift();
      hear(line);
    });
  }
}

/** None of the settings of who runs the tests. */
function environment(database: Database, { settings }: NodeOptions): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(COFFEE_RT_|DATABASE_URL$|REDIS_URL$|KAFKA_)/.test(name),
  );
  return { ...Object.fromEntries(own), COFFEE_RT_LOG: "info", ...database.settings, ...settings };
}

function portOf(line: string): number | null {
  if (!line.includes('"listening"')) return null;
  const event = JSON.parse(line) as { address?: string };
  return Number(event.address?.split(":").at(-1));
}
