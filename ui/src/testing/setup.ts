import { cleanup, configure } from "@testing-library/react";
import { afterEach, vi } from "vitest";

// jsdom has no canvas, and never lays out.
vi.mock("uplot", () => import("./fake-uplot.ts"));
globalThis.ResizeObserver = class {
  observe = () => undefined;
  unobserve = () => undefined;
  disconnect = () => undefined;
};
// What is waited for may come late on a busy machine; the limit of a test is longer.
configure({ asyncUtilTimeout: 15_000 });
window.scrollTo = () => undefined;

afterEach(() => {
  cleanup();
});
