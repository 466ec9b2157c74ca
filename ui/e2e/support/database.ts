import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { needed } from "./places.ts";

const HOW = "run make page, which starts the services";
/** Redis has 16; the first is left to others. */
const REDIS_DATABASES = 15;
let redisTaken = 0;

/** Where nodes of one story keep orders, and through what these go; gone with it. */
export class Database {
  /** Where nodes run: the embedded database is there. */
  readonly folder = mkdtempSync(join(tmpdir(), "coffee-rt-page-"));
  /** Settings of every node on it. */
  readonly settings: Record<string, string> = {};
  private readonly ends: (() => void)[] = [];

  private constructor() {
    this.ends.push(() => rmSync(this.folder, { recursive: true, force: true }));
  }

  /** The embedded one. */
  static sqlite(): Database {
    return new Database();
  }

  /** One of its own on the tests' PostgreSQL. */
  static postgres(): Database {
    const database = new Database();
    const admin = needed("COFFEE_RT_TEST_POSTGRES_URL", HOW);
    const name = `coffee_rt_page_${randomUUID().replaceAll("-", "")}`;
    const url = new URL(admin);
    url.pathname = `/${name}`;
    sql(admin, `CREATE DATABASE ${name}`);
    database.ends.push(() => sql(admin, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`));
    database.settings["DATABASE_URL"] = url.href;
    return database;
  }

  /** Where nobody answers. */
  static away(): Database {
    const database = new Database();
    // The discard service's port, which nothing uses.
    database.settings["DATABASE_URL"] = "postgres://nobody:nothing@127.0.0.1:9/nothing";
    return database;
  }

  /** Puts a Redis before it, empty: v2, and the bus between nodes. */
  async withRedis(): Promise<this> {
    redisTaken = (redisTaken % REDIS_DATABASES) + 1;
    const url = new URL(needed("COFFEE_RT_TEST_REDIS_URL", HOW));
    url.pathname = `/${redisTaken}`;
    await emptied(url, redisTaken);
    this.settings["REDIS_URL"] = url.href;
    return this;
  }

  /** Puts a topic of its own before it: v3. */
  withKafka(): this {
    const name = randomUUID();
    this.settings["KAFKA_BOOTSTRAP_SERVERS"] = needed("COFFEE_RT_TEST_KAFKA_SERVERS", HOW);
    this.settings["COFFEE_RT_V3__TOPIC"] = `orders-${name}`;
    this.settings["COFFEE_RT_V3__GROUP"] = `order-workers-${name}`;
    return this;
  }

  /** Deletes it; no node may be left. */
  end(): void {
    for (const end of this.ends.splice(0).reverse()) end();
  }
}

function sql(url: string, statement: string): void {
  execFileSync("psql", ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", `--command=${statement}`, url]);
}

function emptied(url: URL, index: number): Promise<void> {
  return new Promise((done, fail) => {
    const socket = connect(Number(url.port || "6379"), url.hostname);
    let said = "";
    socket.setEncoding("utf8").on("error", fail);
    socket.on("data", (part: string) => (said += part));
    socket.on("end", () =>
      said === "+OK\r\n+OK\r\n+OK\r\n" ? done() : fail(new Error(`Redis said ${JSON.stringify(said)}`)),
    );
    socket.end(`SELECT ${index}\r\nFLUSHDB\r\nQUIT\r\n`);
  });
}
