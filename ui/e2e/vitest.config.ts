import { defineConfig } from "vitest/config";

/** Longer than all deadlines within a story together, so that a story fails with its own reasons. */
const STORY_TIMEOUT_MS = 120_000;
/** How long a condition is waited for. */
const DEADLINE_MS = 15_000;
const POLL_INTERVAL_MS = 25;

/** Stories of the page in a real Chromium, served by real nodes: one at a time, as each measures or kills something. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["*.e2e.ts"],
    environment: "node",
    pool: "forks",
    maxWorkers: 1,
    fileParallelism: false,
    testTimeout: STORY_TIMEOUT_MS,
    hookTimeout: STORY_TIMEOUT_MS,
    expect: { poll: { timeout: DEADLINE_MS, interval: POLL_INTERVAL_MS } },
    globalSetup: ["support/run.ts"],
    reporters: ["verbose"],
  },
});
