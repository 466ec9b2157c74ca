import { cleanup } from "@testing-library/react";
import { afterEach, vi } from "vitest";

// jsdom has no canvas, and never lays out.
vi.mock("uplot", () => import("./fake-uplot.ts"));
globalThis.ResizeObserver = class {
  observe = () => undefined;
  unobserve = () => undefined;
  disconnect = () => undefined;
};
window.scrollTo = () => undefined;

afterEach(() => {
  cleanup();
});
