/** Shapes of the node's answers, by name; what they mean is said where they are made of: src/http/openapi.json. */

import type { components } from "./wire.generated.ts";

type Schemas = components["schemas"];

export type StoredOrder = Schemas["StoredOrder"];
export type CurrentHour = Schemas["CurrentHour"];
/** GET /api/dashboard, WS /ws/dashboard */
export type Dashboard = Schemas["Dashboard"];
/** GET /api/sales, WS /ws/sales */
export type Sales = Schemas["Sales"];
/** GET /api/history */
export type History = Schemas["History"];
/** GET /api/node */
export type NodeInfo = Schemas["Node"];
export type Actor = Schemas["Actor"];
/** Sums since the node's start: rates and means come from the differences of two pictures. */
export type Work = Schemas["Work"];
export type LogState = Schemas["LogState"];
export type EngineView = Schemas["EngineView"];
export type JobStatus = Schemas["JobStatus"];
export type Flow = Schemas["Flow"];
export type TreeEvent = Schemas["TreeEvent"];
/** GET /api/actors, WS /ws/actors */
export type Picture = Schemas["Picture"];
/** GET /api/events */
export type Events = Schemas["Events"];
/** GET, POST and DELETE /api/customers */
export type Customers = Schemas["Customers"];
export type Run = Schemas["Run"];
/** As a form has it: the node tells where a version is none. */
export type StartCustomers = Omit<Schemas["StartCustomers"], "version"> & { version: string };
/** application/problem+json (RFC 9457) */
export type Problem = Schemas["Problem"];
