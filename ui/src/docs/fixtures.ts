import { readFileSync } from "node:fs";
import type { AsyncApi, OpenApi } from "./documents.ts";

/** The documents that a node of this source sends. */
export const OPENAPI = read<OpenApi>("openapi");
export const ASYNCAPI = read<AsyncApi>("asyncapi");

function read<T>(name: string): T {
  // Tests run in the page's folder, which is in the node's.
  return JSON.parse(readFileSync(`../src/http/${name}.json`, "utf8")) as T;
}
