/** docs/engines.md says what the presets are, and its examples are taken. `vitest -u` writes the tables anew. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { parseConfig, resolveVariants } from "../../runners/config/index.ts";
import { checkedKeys } from "./yaml-keys.ts";
import { withTables } from "./engines-tables.ts";

const PATH = fileURLToPath(new URL("../../docs/engines.md", import.meta.url));
const DOCUMENT = readFileSync(PATH, "utf8");
const EXAMPLES = [...DOCUMENT.matchAll(/```yaml\n([^]*?)```/g)].map(([, text]) => text as string);

it("has the tables that follow from the presets", async () => {
  await expect(withTables(DOCUMENT)).toMatchFileSnapshot(PATH);
});

it.each(EXAMPLES)("has an example that resolves: %j", (text) => {
  const { baseline, fused } = resolveVariants(parseConfig(text, "example.yaml"));
  expect(baseline).not.toEqual(fused);
});

it("has three examples, the first of which names every setting there is", () => {
  expect(EXAMPLES).toHaveLength(3);
  expect(checkedKeys(EXAMPLES[0]!)).toEqual([]);
});
