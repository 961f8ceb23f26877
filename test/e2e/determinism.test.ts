import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { fileOf, linesOf, run, temporaryFolder } from "./program.ts";

const parent = temporaryFolder();
const SHORT = ["--num-fewshot", "0", "--max-tokens", "16", "--temperature", "0.8"];

async function samplesOf(name: string, flags: readonly string[]): Promise<string> {
  const folder = join(parent, name);
  const { code } = await run(["eval", "--task", "gsm_synth", ...SHORT, ...flags, "--output", folder]);
  expect(code).toBe(0);
  return fileOf(folder, "baseline", "samples_");
}

let seven: string;

beforeAll(async () => {
  seven = await samplesOf("seven", ["--limit", "8", "--seed", "7", "--concurrency", "32"]);
});

it("a seed gives the same samples again, whatever the concurrency", async () => {
  const again = await samplesOf("again", ["--limit", "8", "--seed", "7", "--concurrency", "1"]);
  expect(readFileSync(again, "utf8")).toBe(readFileSync(seven, "utf8"));
});

it("fewer docs are the first docs of more", async () => {
  const fewer = await samplesOf("fewer", ["--limit", "5", "--seed", "7", "--concurrency", "3"]);
  const first = linesOf(seven).filter((line) => (JSON.parse(line) as { doc_id: number }).doc_id < 5);
  expect(linesOf(fewer)).toEqual(first);
});

it("another seed draws other answers to the same prompts", async () => {
  interface Sample {
    readonly prompt_hash: string;
    readonly resps: readonly (readonly string[])[];
  }
  const rows = (path: string): Sample[] => linesOf(path).map((line) => JSON.parse(line) as Sample);
  const eight = rows(await samplesOf("eight", ["--limit", "8", "--seed", "8"]));
  expect(eight.map(({ prompt_hash: hash }) => hash)).toEqual(rows(seven).map(({ prompt_hash: hash }) => hash));
  expect(eight.map(({ resps }) => resps)).not.toEqual(rows(seven).map(({ resps }) => resps));
});
