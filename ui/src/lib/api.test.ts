import { afterEach, describe, expect, it, vi } from "vitest";
import { getInfo, injectFault, postOrder, startCustomers } from "./api.ts";

const ORDER = { drink: "latte", store: "uptown", price: "4.50", timestamp: "2026-11-22T09:00:00Z" };

function answers(response: Response | Error | DOMException) {
  const fetching = vi.fn((_path: string, _init: RequestInit) =>
    response instanceof Response ? Promise.resolve(response) : Promise.reject(response),
  );
  vi.stubGlobal("fetch", fetching);
  return () => {
    const [path, init] = fetching.mock.calls[0] ?? expect.fail("nothing was asked");
    return { path, init, headers: init.headers as Record<string, string> };
  };
}

describe("api", () => {
  afterEach(() => vi.unstubAllGlobals());

  it("sends the price as it was typed, and the key as a header", async () => {
    const asked = answers(Response.json({ id: 7 }));
    expect(await postOrder("/api/v1/order", ORDER, "k")).toEqual({ ok: true, status: 200, value: { id: 7 } });
    expect(asked().init.body).toContain('"price":"4.50"');
    expect(asked().headers["Idempotency-Key"]).toBe("k");
  });

  it("sends no key and no token where there is none", async () => {
    const asked = answers(Response.json({}));
    await postOrder("/api/v1/order", ORDER, "");
    expect(Object.keys(asked().headers)).toEqual(["accept", "content-type"]);
  });

  it("keeps the slashes of an actor's path, and sends the token", async () => {
    const asked = answers(Response.json({}, { status: 202 }));
    await injectFault("v1/batcher 0", { mode: "kill" }, "secret");
    expect(asked().path).toBe("/api/actors/v1/batcher%200/kill");
    expect(asked().headers["authorization"]).toBe("Bearer secret");
  });

  it("gives problems as values, with when to come again", async () => {
    const problem = { type: "urn:x", title: "Service Unavailable", status: 503, detail: "busy" };
    answers(Response.json(problem, { status: 503, headers: { "retry-after": "1" } }));
    const answer = await startCustomers({ version: "v1", rate_per_second: 1, duration_seconds: 1 }, "");
    expect(answer).toEqual({ ok: false, message: "busy", status: 503, problem, retryAfterSeconds: 1 });
  });

  it("says where an answer is not readable", async () => {
    answers(new Response("<html>", { status: 502 }));
    expect(await getInfo()).toMatchObject({ ok: false, status: 502, problem: null });
    answers(new Response("<html>", { status: 200 }));
    expect(await getInfo()).toMatchObject({ ok: false, status: 200 });
  });

  it("tells a late answer from no connection", async () => {
    answers(new TypeError("failed"));
    expect(await getInfo()).toMatchObject({
      ok: false,
      status: null,
      message: "The node cannot be reached.",
    });
    answers(new DOMException("late", "TimeoutError"));
    expect(await getInfo()).toMatchObject({ ok: false, status: null, message: "No answer in time." });
  });
});
