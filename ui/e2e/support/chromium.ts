import { type Browser, chromium } from "playwright-core";

/** Debian's. */
export const CHROMIUM = process.env["COFFEE_RT_CHROMIUM"] ?? "/usr/bin/chromium";

/** Nothing that talks to anybody, nothing that another machine's screen or GPU would change. */
const FLAGS = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--force-color-profile=srgb",
  // Windows that nobody looks at are painted like those that somebody does.
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
  "--enable-precise-memory-info",
];

/** A Chromium without a window; its profile is a folder of its own that is gone with it. */
export function launchChromium(): Promise<Browser> {
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({
    executablePath: CHROMIUM,
    headless: true,
    // Chromium has no sandbox for root.
    chromiumSandbox: !isRoot,
    args: FLAGS,
    handleSIGINT: false,
    handleSIGTERM: false,
    handleSIGHUP: false,
  });
}
