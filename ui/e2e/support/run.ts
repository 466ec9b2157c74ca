import { accessSync, constants } from "node:fs";
import { CHROMIUM } from "./chromium.ts";
import { forgetFacts, tellFacts } from "./facts.ts";
import { needed } from "./places.ts";

/** Before all stories: what they need must be there. After them: what was measured. */
export default function setup(): () => void {
  for (const [file, how] of [
    [
      needed("COFFEE_RT_BIN", "run deploy/local/page.sh, or name a node that was built with its page"),
      "the node",
    ],
    [CHROMIUM, "install chromium"],
  ] as const) {
    try {
      accessSync(file, constants.X_OK);
    } catch {
      throw new Error(`${file} cannot be run: ${how}`);
    }
  }
  forgetFacts();
  return tellFacts;
}
