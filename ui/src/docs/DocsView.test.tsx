import { fireEvent, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it, vi } from "vitest";
import { violations } from "../testing/axe.ts";
import { nodeInfo } from "../testing/fixtures.ts";
import { DocsView } from "./DocsView.tsx";
import { ASYNCAPI, OPENAPI } from "./fixtures.ts";

function answer(reply: (path: string) => Response) {
  vi.spyOn(globalThis, "fetch").mockImplementation((path) => Promise.resolve(reply(String(path))));
}

const documents = (path: string) => Response.json(path.endsWith("openapi.json") ? OPENAPI : ASYNCAPI);

async function show() {
  answer(documents);
  const shown = render(<DocsView info={nodeInfo()} />);
  await screen.findByTestId("docs-search");
  return shown;
}

describe("the reference's view", () => {
  it("shows each operation with its parameters, body, answers and problems", async () => {
    await show();
    for (const [path, item] of Object.entries(OPENAPI.paths)) {
      for (const method of Object.keys(item)) {
        expect(screen.getByTestId(`docs-op-${method}-${path}`)).toBeTruthy();
      }
    }
    const kill = within(screen.getByTestId("docs-op-post-/api/actors/{path}/kill"));
    expect(kill.getByText(/^For operators: where/)).toBeTruthy();
    expect(kill.getByText("urn:coffee-rt:problem:not-running")).toBeTruthy();
    expect(kill.getAllByRole("link", { name: "Problem" })[0]?.getAttribute("href")).toBe("#schema-Problem");
    const socket = within(screen.getByTestId("docs-socket-/ws/sales"));
    expect(socket.getByRole("link", { name: "Sales" })).toBeTruthy();
    expect(screen.getByText(/curl -H/).textContent).toContain("/api/v1/order");
  });

  it("leads to everything that it shows", async () => {
    const { container } = await show();
    const links = [...container.querySelectorAll<HTMLAnchorElement>("a[href^='#']")];
    expect(links.length).toBeGreaterThan(100);
    for (const link of links) {
      const anchor = decodeURIComponent(link.getAttribute("href")?.slice(1) ?? "");
      expect(document.getElementById(anchor), anchor).toBeTruthy();
    }
  });

  it("finds what is searched for", async () => {
    await show();
    const hands = userEvent.setup();
    await hands.type(screen.getByTestId("docs-search"), "customers-here");
    expect(await screen.findByText("1 entry")).toBeTruthy();
    expect(screen.getByTestId("docs-op-post-/api/customers")).toBeTruthy();
    expect(screen.queryByTestId("docs-op-get-/livez")).toBeNull();
    await hands.clear(screen.getByTestId("docs-search"));
    expect(await screen.findByTestId("docs-op-get-/livez")).toBeTruthy();
  });

  it("goes to what the address points at", async () => {
    const seen: string[] = [];
    // jsdom has no layout, and so nothing to scroll.
    Element.prototype.scrollIntoView = function (this: Element) {
      seen.push(this.id);
    };
    location.hash = `#${encodeURIComponent("op-get-/readyz")}`;
    await show();
    location.hash = "";
    expect(seen).toEqual(["op-get-/readyz"]);
  });

  it("says where the documents cannot be read, and reads them again", async () => {
    answer(() => Response.json({ title: "Busy", detail: "all connections are taken" }, { status: 503 }));
    render(<DocsView info={null} />);
    expect((await screen.findByRole("alert")).textContent).toContain("all connections are taken");
    answer(() => Response.json({ openapi: "2.0" }));
    await userEvent.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByText(/not of a kind/)).toBeTruthy();
    answer(documents);
    await userEvent.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByTestId("docs-search")).toBeTruthy();
    expect(screen.queryByRole("alert")).toBeNull();
  });

  // All of it would take axe long; what is found by these words has everything that a view consists of.
  it.each(["picture", "millis"])("is accessible where %s is shown", async (words) => {
    const { container } = await show();
    fireEvent.change(screen.getByTestId("docs-search"), { target: { value: words } });
    await screen.findByText(/entries$/);
    expect(container.querySelectorAll(".docs-entry").length).toBeLessThan(10);
    expect(await violations(container)).toEqual([]);
  });
});
