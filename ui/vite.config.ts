import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { compress } from "./build/compress.ts";

/** Of a file loaded by address, so that nothing is inlined: the page's content policy has no exceptions for it. */
const INLINE_BYTES = 0;

/** The accessibility checks take seconds on a busy machine. */
const TEST_TIMEOUT_MS = 30_000;

export default defineConfig({
  plugins: [react(), compress()],
  build: {
    outDir: process.env["COFFEE_RT_UI_OUT"] ?? "dist",
    emptyOutDir: true,
    assetsInlineLimit: INLINE_BYTES,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    sourcemap: false,
    target: "es2022",
  },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.{ts,tsx}"],
    maxWorkers: 2,
    testTimeout: TEST_TIMEOUT_MS,
    restoreMocks: true,
    setupFiles: ["src/testing/setup.ts"],
  },
});
