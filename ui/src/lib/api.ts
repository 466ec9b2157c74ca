import type { Customers, Events, History, NodeInfo, Problem, StartCustomers } from "./wire.ts";

/** Reads are given up after this; the next one comes soon. */
const READ_TIMEOUT_MS = 10_000;
/** Orders and commands are given up after this: the node answers earlier by itself. */
const WRITE_TIMEOUT_MS = 35_000;

/** Why there is no good answer. */
export interface Failure {
  readonly ok: false;
  /** One sentence for people. */
  readonly message: string;
  /** Null where nothing was answered. */
  readonly status: number | null;
  readonly problem: Problem | null;
  readonly retryAfterSeconds: number | null;
}

/** A good answer: its value and how it came. */
export interface Success<T> {
  readonly ok: true;
  readonly status: number;
  readonly value: T;
}

/** Errors are values here: nothing in this file throws. */
export type Answer<T> = Success<T> | Failure;

/** An order as it is posted; the price stays as it was typed. */
export interface NewOrder {
  readonly drink: string;
  readonly store: string;
  readonly price: string;
  readonly timestamp: string;
}

interface Call {
  readonly method?: "GET" | "POST" | "DELETE";
  readonly body?: unknown;
  readonly token?: string;
  readonly headers?: Record<string, string>;
}

/** GET /api/node */
export const getInfo = (): Promise<Answer<NodeInfo>> => call("/api/node");

/** GET /api/openapi.json */
export const getOpenApi = (): Promise<Answer<unknown>> => call("/api/openapi.json");

/** GET /api/asyncapi.json */
export const getAsyncApi = (): Promise<Answer<unknown>> => call("/api/asyncapi.json");

/** GET /api/history */
export const getHistory = (): Promise<Answer<History>> => call("/api/history");

/** GET /api/events: those after `after`, ascending. */
export const getEvents = (after: number): Promise<Answer<Events>> => call(`/api/events?after=${after}`);

/** GET /api/customers */
export const getCustomers = (): Promise<Answer<Customers>> => call("/api/customers");

/** POST /api/customers */
export const startCustomers = (start: StartCustomers, token: string): Promise<Answer<Customers>> =>
  call("/api/customers", { method: "POST", body: start, token });

/** DELETE /api/customers */
export const stopCustomers = (token: string): Promise<Answer<Customers>> =>
  call("/api/customers", { method: "DELETE", token });

/** What is done to an actor. */
export interface Fault {
  readonly mode: string;
  readonly millis?: number;
}

/** POST /api/actors/{path}/kill */
export const injectFault = (path: string, fault: Fault, token: string): Promise<Answer<unknown>> =>
  call(`/api/actors/${path.split("/").map(encodeURIComponent).join("/")}/kill`, {
    method: "POST",
    body: fault,
    token,
  });

/** POST of one order to a version's path; the answer differs by version, so it stays as it came. */
export const postOrder = (orderPath: string, order: NewOrder, key: string): Promise<Answer<unknown>> =>
  call(orderPath, { method: "POST", body: order, headers: key === "" ? {} : { "Idempotency-Key": key } });

async function call<T>(
  path: string,
  { method = "GET", body, token, headers }: Call = {},
): Promise<Answer<T>> {
  try {
    const response = await fetch(path, {
      method,
      headers: {
        accept: "application/json",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      cache: "no-store",
      signal: AbortSignal.timeout(method === "GET" ? READ_TIMEOUT_MS : WRITE_TIMEOUT_MS),
    });
    return await read<T>(response);
  } catch (error) {
    const late = error instanceof DOMException && error.name === "TimeoutError";
    return nothing(late ? "No answer in time." : "The node cannot be reached.");
  }
}

async function read<T>(response: Response): Promise<Answer<T>> {
  const value: unknown = await response.json().catch(() => undefined);
  if (response.ok && value !== undefined) return { ok: true, status: response.status, value: value as T };
  const problem = isProblem(value) ? value : null;
  return {
    ok: false,
    message: problem?.detail ?? `The node answered ${response.status} with nothing readable.`,
    status: response.status,
    problem,
    retryAfterSeconds: seconds(response.headers.get("retry-after")),
  };
}

function nothing(message: string): Failure {
  return { ok: false, message, status: null, problem: null, retryAfterSeconds: null };
}

function seconds(header: string | null): number | null {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) : null;
}

function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "title" in value && "detail" in value;
}
