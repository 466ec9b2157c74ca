// Notes in the generated types what they were made of, and with --check says whether that is still so.
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

const DOCUMENT = new URL("../../src/http/openapi.json", import.meta.url);
const TYPES = new URL("../src/lib/wire.generated.ts", import.meta.url);
const STAMP = /^\/\/ Made by `npm run wire`[^\n]*\n/;

const types = readFileSync(TYPES, "utf8").replace(STAMP, "");
// Of both, so that neither a newer document nor a change by hand goes unnoticed.
const hash = createHash("sha256").update(readFileSync(DOCUMENT)).update(types).digest("hex");
const stamped = `// Made by \`npm run wire\` of src/http/openapi.json: ${hash}\n${types}`;

if (!process.argv.includes("--check")) {
  writeFileSync(TYPES, stamped);
} else if (readFileSync(TYPES, "utf8") !== stamped) {
  console.error("src/lib/wire.generated.ts is out of date: npm run wire");
  process.exitCode = 1;
}
