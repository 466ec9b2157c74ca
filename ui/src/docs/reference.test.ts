import { describe, expect, it } from "vitest";
import { follow, type Schema } from "./documents.ts";
import { ASYNCAPI, OPENAPI } from "./fixtures.ts";
import { readReference } from "./reference.ts";
import { fieldsOf, rulesOf, shapesOf, typeOf } from "./schema.ts";
import { entriesOf, search } from "./search.ts";

const reference = readReference(OPENAPI, ASYNCAPI);
const calls = reference.groups.flatMap((group) => group.calls);
const text = (schema: Schema) =>
  typeOf(schema)
    .map((part) => part.text)
    .join("");

describe("the reference", () => {
  it("has every operation, socket and schema of the documents", () => {
    const documented = Object.entries(OPENAPI.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `op-${method}-${path}`),
    );
    expect(calls.map(({ anchor }) => anchor).sort()).toEqual(documented.sort());
    expect(reference.sockets.map(({ path }) => path)).toEqual(["/ws/dashboard", "/ws/sales", "/ws/actors"]);
    expect(reference.schemas.map(({ name }) => name)).toEqual(Object.keys(OPENAPI.components.schemas));
    expect(reference.anywhere.map(({ status }) => status)).toEqual(["405"]);
  });

  it("follows references to parameters, bodies and answers", () => {
    const order = calls.find(({ path }) => path === "/api/v1/order");
    expect(order?.parameters.map(({ name, place }) => `${place} ${name}`)).toEqual([
      "header Idempotency-Key",
      "header traceparent",
    ]);
    expect(order?.body?.contents[0]?.examples.length).toBe(2);
    const busy = order?.answers.find(({ status }) => status === "503");
    expect(busy?.headers.map(({ name }) => name)).toEqual(["Retry-After"]);
    expect(busy?.contents[0]?.problems).toContain("urn:coffee-rt:problem:overloaded");
  });

  it("has anchors that differ", () => {
    const anchors = [...calls, ...reference.sockets, ...reference.schemas].map(({ anchor }) => anchor);
    expect(new Set(anchors).size).toBe(anchors.length);
  });

  it("says where a reference leads nowhere", () => {
    expect(() => follow(OPENAPI, { $ref: "#/components/schemas/Nothing" })).toThrow("leads nowhere");
  });
});

describe("types", () => {
  it.each<[Schema, string]>([
    [{ type: "string" }, "string"],
    [{ type: ["integer", "null"] }, "integer or null"],
    [{ const: "v2" }, '"v2"'],
    [{ enum: ["a", null] }, '"a" | null'],
    [{ type: "array", items: { $ref: "#/components/schemas/Item" } }, "array of Item"],
    [{ oneOf: [{ $ref: "#/components/schemas/Run" }, { type: "null" }] }, "Run or null"],
    [{ type: "object", additionalProperties: { type: "string" } }, "object of string"],
    [{}, "anything"],
  ])("%j is told as %s", (schema, told) => {
    expect(text(schema)).toBe(told);
  });

  it("tells limits and defaults", () => {
    expect(rulesOf({ minimum: 0, default: 0 })).toEqual(["at least 0", "default 0"]);
    expect(rulesOf({ minItems: 60, maxItems: 60 })).toEqual(["60 items"]);
    expect(rulesOf({ minLength: 1, maxLength: 40, format: "uuid" })).toEqual([
      "1 to 40 characters",
      "format uuid",
    ]);
    expect(rulesOf({ maximum: 5 })).toEqual(["at most 5"]);
  });

  it("puts together what consists of parts, and what is within", () => {
    const names = (schema: string) => {
      const found = OPENAPI.components.schemas[schema];
      return found ? fieldsOf(OPENAPI, found).map(({ name }) => name) : [];
    };
    expect(names("Sales")).toContain("stored_total");
    expect(names("Sales")).toContain("seconds");
    expect(names("Readiness")).toContain("components.store.state");
    expect(names("FaultInjected")).toContain("injected.millis");
    const log = OPENAPI.components.schemas["LogReadiness"];
    expect(log && shapesOf(OPENAPI, log).length).toBe(3);
  });
});

describe("search", () => {
  it("finds by path, field and problem", () => {
    const found = (words: string) => search(reference, words);
    expect(found("  ")).toBe(reference);
    expect(found("order v1 POST").groups[0]?.calls.map(({ path }) => path)).toContain("/api/v1/order");
    expect(found("slow-body").groups.flatMap((group) => group.calls).length).toBe(5);
    expect(found("hydrations_total").schemas.map(({ name }) => name)).toEqual(["Picture"]);
    expect(found("1009").sockets.length).toBe(3);
    expect(entriesOf(found("nothing has these words"))).toBe(0);
  });
});
