import { describe, expect, it } from "vitest";
import type { Failure } from "../lib/api.ts";
import { adviceAfter, newKey, numberOf, placeErrors, timestampOf } from "./form.ts";

function failure(status: number | null, errors?: { field: string; message: string }[]): Failure {
  const problem = { type: "urn:x", title: "X", status: status ?? 0, detail: "all of it" };
  return {
    ok: false,
    message: "all of it",
    status,
    problem: status === null ? null : { ...problem, ...(errors ? { errors } : {}) },
    retryAfterSeconds: status === 503 ? 1 : null,
  };
}

describe("till form", () => {
  it("puts errors beside their fields, and others above", () => {
    const errors = [
      { field: "price", message: "is too high" },
      { field: "price", message: "has three decimals" },
      { field: "message_id", message: "must be a UUID" },
    ];
    expect(placeErrors(failure(422, errors), ["price"])).toEqual({
      byField: { price: "is too high; has three decimals" },
      above: "message_id must be a UUID",
    });
    expect(placeErrors(failure(422, errors.slice(0, 1)), ["price"]).above).toBeNull();
    expect(placeErrors(failure(422, errors), [])).toEqual({ byField: {}, above: "all of it" });
    expect(placeErrors(failure(503), ["price"])).toEqual({ byField: {}, above: "all of it" });
  });

  it("says when repeating is safe", () => {
    expect(adviceAfter(failure(422), "")).toBeNull();
    expect(adviceAfter(failure(503), "k")).toBe(
      "Try again in 1 s, with the same key: that never stores it twice.",
    );
    expect(adviceAfter(failure(503), "")).toMatch(/^Try again in 1 s\. .*stored twice/);
    expect(adviceAfter(failure(null), "")).toMatch(/^Try again\. /);
  });

  it("sends now where no time was typed, and what is no time as it is", () => {
    expect(timestampOf("", 0)).toBe("1970-01-01T00:00:00.000Z");
    expect(timestampOf("2026-11-22T09:00:00Z", 0)).toBe("2026-11-22T09:00:00.000Z");
    expect(timestampOf("noon", 0)).toBe("noon");
  });

  it("makes keys that are UUIDs of version 4", () => {
    expect(newKey()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(newKey()).not.toBe(newKey());
  });

  it("leaves numbers that are none to the node", () => {
    expect(numberOf("12.5")).toBe(12.5);
    expect(numberOf("many")).toBe(0);
    expect(numberOf("")).toBe(0);
  });
});
