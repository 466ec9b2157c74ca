import { act, render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Customers, NodeInfo } from "../lib/wire.ts";
import { violations } from "../testing/axe.ts";
import { nodeInfo, run } from "../testing/fixtures.ts";
import { TillView } from "./TillView.tsx";

interface Asked {
  readonly path: string;
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body: unknown;
}

/** A node that answers orders as told, and customers from `customers`. */
function node(order: () => Response, customers: Customers = { running: null, last: null }) {
  const asked: Asked[] = [];
  const state = { customers };
  vi.stubGlobal("fetch", (path: string, init: RequestInit) => {
    const method = init.method ?? "GET";
    const body: unknown = typeof init.body === "string" ? JSON.parse(init.body) : undefined;
    asked.push({ path, method, headers: init.headers as Record<string, string>, body });
    if (!path.startsWith("/api/customers")) return Promise.resolve(order());
    if (method === "POST") state.customers = { running: run(), last: null };
    if (method === "DELETE") state.customers = { running: null, last: run({ elapsed_seconds: 6 }) };
    return Promise.resolve(Response.json(state.customers));
  });
  return { asked, state, last: () => asked.at(-1) ?? expect.fail("nothing was asked") };
}

const stored = () => Response.json({ id: 7, price: 4.5 });
const problem = (status: number, errors?: unknown) => () =>
  Response.json(
    { type: "urn:x", title: "X", status, detail: "that is wrong", errors },
    { status, headers: status === 503 ? { "retry-after": "1" } : {} },
  );

async function show(info: NodeInfo | null = nodeInfo()) {
  const shown = render(<TillView info={info} />);
  // The first reading of the customers.
  await act(() => vi.advanceTimersByTimeAsync(1));
  return shown;
}

describe("TillView", () => {
  beforeEach(() => vi.useFakeTimers({ shouldAdvanceTime: true }));
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  const user = () => userEvent.setup({ advanceTimers: (ms) => vi.advanceTimersByTime(ms) });
  const id = (name: string) => screen.getByTestId(name);

  it("waits for the menu", async () => {
    node(stored);
    await show(null);
    expect(screen.queryByTestId("till-send")).toBeNull();
  });

  it("posts an order as it was typed, and shows the answer as it came", async () => {
    const { asked } = node(stored);
    await show();
    const hands = user();
    await hands.selectOptions(id("till-version"), "v3");
    await hands.selectOptions(id("till-drink"), "latte");
    await hands.selectOptions(id("till-store"), "airport");
    await hands.clear(id("till-price"));
    await hands.type(id("till-price"), "3.10");
    await hands.click(screen.getByText("New key"));
    await hands.click(id("till-send"));
    await screen.findByText("200");
    const order = asked.find((call) => call.path === "/api/v3/order") ?? expect.fail("no order was posted");
    expect(order.body).toMatchObject({ drink: "latte", store: "airport", price: "3.10" });
    expect(order.headers["Idempotency-Key"]).toMatch(/^[0-9a-f-]{36}$/);
    expect(id("till-answer").textContent).toContain('"id": 7');
    expect(screen.queryByTestId("till-problem")).toBeNull();
  });

  it("sends what it shows when the node's menu has changed", async () => {
    const { last } = node(stored);
    const { rerender } = await show();
    await user().selectOptions(id("till-drink"), "latte");
    const info = nodeInfo();
    rerender(<TillView info={{ ...info, menu: { ...info.menu, drinks: ["mocha", "tea"] } }} />);
    expect((id("till-drink") as HTMLSelectElement).value).toBe("mocha");
    await user().click(id("till-send"));
    await screen.findByText("200");
    expect(last().body).toMatchObject({ drink: "mocha" });
  });

  it("repeats an order as it was, with its key; without one it is another order", async () => {
    const { asked } = node(stored);
    await show();
    const hands = user();
    const timestamps = async () => {
      const before = asked.length;
      for (let times = 0; times < 2; times += 1) {
        await hands.click(id("till-send"));
        await screen.findByText("200");
        await act(() => vi.advanceTimersByTimeAsync(50));
      }
      const posted = asked.slice(before).filter((call) => call.path.endsWith("/order"));
      return posted.map((call) => (call.body as { timestamp: string }).timestamp);
    };
    const [first, second] = await timestamps();
    expect(first).not.toBe(second);
    await hands.click(screen.getByText("New key"));
    const [sent, repeated] = await timestamps();
    expect(sent).toBe(repeated);
    expect(sent).not.toBe(second);
    await hands.click(screen.getByText("New key"));
    expect((await timestamps())[0]).not.toBe(sent);
  });

  it("shows an error beside its field", async () => {
    node(problem(422, [{ field: "price", message: "must be a number" }]));
    await show();
    await user().click(id("till-send"));
    expect((await screen.findByTestId("till-error-price")).textContent).toBe("must be a number");
    expect(id("till-price").getAttribute("aria-invalid")).toBe("true");
    expect(screen.queryByTestId("till-problem")).toBeNull();
  });

  it("shows other problems above, with when to try again", async () => {
    node(problem(503));
    const { container } = await show();
    await user().click(id("till-send"));
    const shown = await screen.findByTestId("till-problem");
    expect(shown.textContent).toMatch(/^that is wrongTry again in 1 s\./);
    expect(await violations(container)).toEqual([]);
  });

  it("starts customers, follows them each second, and stops them", async () => {
    const { asked, state, last } = node(stored);
    await show();
    const hands = user();
    await hands.click(id("sim-start"));
    await screen.findByText("Under way");
    expect(last().body).toEqual({ version: "v1", rate_per_second: 50, duration_seconds: 30 });
    expect((id("sim-start") as HTMLButtonElement).disabled).toBe(true);
    state.customers = { running: run({ sent: 333 }), last: null };
    await act(() => vi.advanceTimersByTimeAsync(1_000));
    expect(id("sim-sent").textContent).toBe("333");
    await hands.click(id("sim-stop"));
    await screen.findByText("Last run");
    const calls = asked.length;
    await act(() => vi.advanceTimersByTimeAsync(5_000));
    expect(asked).toHaveLength(calls);
  });

  it("asks for the token where one is needed, and sends it", async () => {
    const { last } = node(stored);
    await show(nodeInfo({ faults: "token" }));
    const hands = user();
    await hands.type(id("sim-token"), "secret");
    await hands.click(id("sim-start"));
    expect(last().headers["authorization"]).toBe("Bearer secret");
    expect(sessionStorage.getItem("coffee-rt-admin-token")).toBe("secret");
    expect(localStorage.length).toBe(0);
  });

  it("says why nobody may start customers", async () => {
    node(stored);
    const { container } = await show(nodeInfo({ faults: "off" }));
    expect(screen.getByText(/Nobody may start customers/)).toBeTruthy();
    expect(id("sim-start").matches(":disabled")).toBe(true);
    expect(await violations(container)).toEqual([]);
  });
});
