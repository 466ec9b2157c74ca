import { randomUUID } from "node:crypto";
import { Agent, request } from "node:http";
import type { History, NodeInfo, Picture, Sales } from "../../src/lib/wire.ts";
import type { Node } from "./node.ts";

const agent = new Agent({ keepAlive: true, maxSockets: 16 });

/** An order as it is posted. */
export interface Order {
  readonly drink: string;
  readonly store: string;
  readonly price: string;
}

/** The drinks and stores of a node without settings. */
export const DRINKS = ["cappuccino", "americano", "latte"] as const;
export const STORES = ["uptown", "downtown", "central", "southend"] as const;

/** Different orders over the whole menu. */
export function orders(count: number): Order[] {
  return Array.from({ length: count }, (_, index) => ({
    drink: DRINKS[index % DRINKS.length] ?? "",
    store: STORES[Math.floor(index / 2) % STORES.length] ?? "",
    price: `${3 + (index % 5)}.${String((index * 7) % 100).padStart(2, "0")}`,
  }));
}

/** Posts to a node; the answer's status and body. */
export function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  return new Promise((done, fail) => {
    const asked = request(
      url,
      { method: "POST", agent, headers: { "content-type": "application/json", ...headers } },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (part: string) => (text += part));
        answer.on("end", () => done({ status: answer.statusCode ?? 0, text }));
      },
    );
    asked.on("error", fail);
    asked.end(JSON.stringify(body));
  });
}

/** Posts orders one after the other; each must be acknowledged. */
export async function place(node: Node, all: readonly Order[], version = "v1"): Promise<void> {
  for (const order of all) {
    const body = { ...order, timestamp: new Date().toISOString() };
    const answer = await post(`${node.url}/api/${version}/order`, body, { "idempotency-key": randomUUID() });
    if (answer.status !== 200) throw new Error(`an order was answered ${answer.status}: ${answer.text}`);
  }
}

/** Injects a fault behind the page's back. */
export async function inject(node: Node, path: string, mode: string, millis = 1): Promise<void> {
  const answer = await post(`${node.url}/api/actors/${path}/kill`, { mode, millis });
  if (answer.status !== 202)
    throw new Error(`${mode} of ${path} was answered ${answer.status}: ${answer.text}`);
}

/** Starts simulated customers behind the page's back. */
export async function startCustomers(
  node: Node,
  rate: number,
  seconds: number,
  version = "v1",
): Promise<void> {
  const body = { version, rate_per_second: rate, duration_seconds: seconds };
  const answer = await post(`${node.url}/api/customers`, body);
  if (answer.status !== 202) throw new Error(`customers were answered ${answer.status}: ${answer.text}`);
}

/** Ends them. */
export async function stopCustomers(node: Node): Promise<void> {
  const answer = await fetch(`${node.url}/api/customers`, { method: "DELETE" });
  if (!answer.ok)
    throw new Error(`the end of customers was answered ${answer.status}: ${await answer.text()}`);
}

/** Asks a node behind the page's back. */
export async function ask<T>(node: Node, path: string): Promise<T> {
  const answer = await fetch(`${node.url}${path}`);
  if (!answer.ok) throw new Error(`${path} was answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as T;
}

/** GET /api/sales */
export const sales = (node: Node): Promise<Sales> => ask(node, "/api/sales");
/** GET /api/history */
export const past = (node: Node): Promise<History> => ask(node, "/api/history");
/** GET /api/actors */
export const picture = (node: Node): Promise<Picture> => ask(node, "/api/actors");
/** GET /api/node */
export const nodeInfo = (node: Node): Promise<NodeInfo> => ask(node, "/api/node");
