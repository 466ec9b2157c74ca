import { readFileSync } from "node:fs";
import { extname, join } from "node:path";
import type { BrowserContext } from "playwright-core";

const TYPES: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

/**
 * For work on the page: with COFFEE_RT_PAGE=dist the stories see what `npm run build` made, on a node of any age. What
 * is measured of the first load is then not the node's.
 */
export async function localPage(context: BrowserContext): Promise<void> {
  const folder = process.env["COFFEE_RT_PAGE"];
  if (!folder) return;
  // What is not loaded from the node itself is a stranger to Chromium.
  await context.grantPermissions(["local-network-access"]);
  const isOfPage = ({ pathname }: URL) => /^\/(assets\/.*|sales|node|till|docs)?$/.test(pathname);
  await context.route(isOfPage, (route) => {
    const { pathname } = new URL(route.request().url());
    const file = pathname.startsWith("/assets/") ? pathname : "/index.html";
    const contentType = TYPES[extname(file)] ?? "image/svg+xml";
    return route.fulfill({ body: readFileSync(join(folder, file)), contentType });
  });
}
