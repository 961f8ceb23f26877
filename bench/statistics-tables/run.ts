/** `npm run statistics [-- NAME ...]`: makes the tables of docs/statistics.md again, the same to the byte. Takes some minutes. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { replaceSection } from "../sections.ts";
import { STATISTICS_TABLES } from "./tables.ts";

const DOCUMENT = fileURLToPath(new URL("../../docs/statistics.md", import.meta.url));

const asked = process.argv.slice(2);
const unknown = asked.find((name) => !Object.hasOwn(STATISTICS_TABLES, name));
if (unknown !== undefined)
  throw new Error(`no table "${unknown}"; there are: ${Object.keys(STATISTICS_TABLES).join(", ")}`);

for (const [name, make] of Object.entries(STATISTICS_TABLES)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  const start = performance.now();
  const document = readFileSync(DOCUMENT, "utf8");
  const next = replaceSection(document, name, `${make()}\n`);
  if (next !== document) writeFileSync(DOCUMENT, next);
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  process.stdout.write(`${name}: ${next === document ? "the same" : "changed"}, ${seconds} s\n`);
}
