/**
 * How fast two captures are compared, against a plain read of the same files into one buffer; how that grows with their
 * length; how much memory it takes.
 */
import { spawnSync } from "node:child_process";
import { closeSync, copyFileSync, fstatSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { compareCaptures } from "../comparison/compare-captures.ts";
import { createSafetensorsWriter } from "../engine/safetensors-writer.ts";
import type { TensorSpec } from "../engine/safetensors-writer.ts";
import { openCapture } from "../runners/captures/open-capture.ts";
import { markdownTable } from "./markdown-table.ts";
import { whole } from "./statistics.ts";

/** A wide model's: ids of one byte up to 256 experts, of two beyond. */
const LAYERS = 16;
const K = 8;
const DOC_TOKENS = 1000;
const REPEATS = 3;
/** What a user may have in memory at a time. */
const MEMORY_LIMIT_MIB = 512;

interface Scenario {
  readonly what: string;
  readonly entries: number;
  readonly nExpertsTot: number;
  readonly weights: boolean;
  /** One choice in so many differs, and every weight in its last bits. */
  readonly differences: number;
}

const SCENARIOS: readonly Scenario[] = [
  ...[1e6, 1e7, 1e8].map((entries) => ({ what: "ids", entries, nExpertsTot: 384, weights: false, differences: 0 })),
  { what: "ids of one byte", entries: 1e9, nExpertsTot: 256, weights: false, differences: 0 },
  { what: "ids, 1 choice of 10,000 differs", entries: 1e8, nExpertsTot: 384, weights: false, differences: 10_000 },
  { what: "ids of one byte", entries: 1e8, nExpertsTot: 256, weights: false, differences: 0 },
  { what: "ids and equal weights", entries: 1e8, nExpertsTot: 384, weights: true, differences: 0 },
  {
    what: "ids and weights, all with other last bits",
    entries: 1e7,
    nExpertsTot: 384,
    weights: true,
    differences: 10_000,
  },
];

/** A Markdown table; takes some minutes and 3 GB in the folder for temporary files. */
export async function benchCaptures(): Promise<string> {
  const rows: string[][] = [];
  for (const scenario of SCENARIOS) rows.push(await benchScenario(scenario));
  const head = [
    "what",
    "entries",
    "bytes of ids",
    "time",
    "ids/s",
    "bytes read/s",
    "plain read",
    "time / plain read",
    "peak memory",
  ];
  return [
    markdownTable(head, rows),
    "",
    `Two files of ${LAYERS} MoE layers, K = ${K}, docs of ${DOC_TOKENS} tokens, with margins; an entry is one token's one expert in one layer ` +
      "of one file. Bytes of ids are those of both (E = 384: two bytes each; E = 256: one). Time is processor time, of one core, " +
      `for reading both, checking that each is a capture, and comparing; fastest of ${REPEATS} after one to warm up, files in the page cache. ` +
      '"Plain read" reads both files whole, through one buffer of 1 MiB, and looks at nothing. Peak memory is that of a process ' +
      `of its own which runs the command and nothing else (limit: ${MEMORY_LIMIT_MIB} MiB).`,
  ].join("\n");
}

async function benchScenario(scenario: Scenario): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "fusecheck-bench-"));
  try {
    const [a, b] = [join(folder, "a.safetensors"), join(folder, "b.safetensors")];
    writeCapture(a, scenario, 0);
    if (scenario.differences === 0) copyFileSync(a, b);
    else writeCapture(b, scenario, scenario.differences);
    const idBytes = 2 * scenario.entries * (scenario.nExpertsTot <= 256 ? 1 : 2);
    const bytes = plainRead(a).bytes + plainRead(b).bytes;
    let [compared, read] = [Infinity, Infinity];
    await timeCompare(a, b);
    for (let repeat = 0; repeat < REPEATS; repeat++) {
      compared = Math.min(compared, await timeCompare(a, b));
      read = Math.min(read, plainRead(a).seconds + plainRead(b).seconds);
    }
    const rate = (n: number): string => `${(n / compared / 1e9).toFixed(2)} GB/s`;
    return [
      scenario.what,
      whole(scenario.entries),
      `${whole(idBytes / 1e6)} MB`,
      `${whole(compared * 1000)} ms`,
      rate(idBytes),
      rate(bytes),
      `${(bytes / read / 1e9).toFixed(2)} GB/s`,
      (compared / read).toFixed(1),
      `${whole(peakMemory(a, b))} MiB`,
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function timeCompare(a: string, b: string): Promise<number> {
  const [one, two] = [await openCapture(a), await openCapture(b)];
  const start = process.cpuUsage();
  await compareCaptures(one, two);
  const seconds = cpuSeconds(start);
  one.close();
  two.close();
  return seconds;
}

function plainRead(path: string): { readonly bytes: number; readonly seconds: number } {
  const buffer = new Uint8Array(2 ** 20);
  const start = process.cpuUsage();
  const fd = openSync(path, "r");
  const bytes = fstatSync(fd).size;
  while (readSync(fd, buffer) > 0);
  closeSync(fd);
  return { bytes, seconds: cpuSeconds(start) };
}

/** Of the whole process, so that what else the machine does is not counted, but the collector's threads are. */
function cpuSeconds(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

/** Of the program as it is started by a user, its TypeScript loader included. */
function peakMemory(a: string, b: string): number {
  const script = `
    import { runCli } from "./cli/create-cli.ts";
    await runCli(["parity", "captures", process.argv[1], process.argv[2], "--json"]);
    process.stderr.write("peak " + process.resourceUsage().maxRSS);`;
  const root = fileURLToPath(new URL("..", import.meta.url));
  const run = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script, a, b], {
    cwd: root,
    encoding: "utf8",
  });
  const [, kilobytes] = /peak (\d+)$/.exec(run.stderr) ?? [];
  if (kilobytes === undefined) throw new Error(`the comparison failed: ${run.stderr}`);
  return Number(kilobytes) / 1024;
}

/** @param differences - one choice in so many is another expert's, and all weights get other last bits; 0 for none */
function writeCapture(path: string, { entries, nExpertsTot, weights }: Scenario, differences: number): void {
  const tokens = Math.round(entries / LAYERS / K);
  const layers = Array.from({ length: LAYERS }, (_, layer) => layer);
  const narrow = nExpertsTot <= 256;
  const specs = layers.flatMap((layer): TensorSpec[] => [
    { name: `layers.${layer}.topk_ids`, dtype: narrow ? "U8" : "U16", shape: [tokens, K] },
    { name: `layers.${layer}.router_margin`, dtype: "F32", shape: [tokens] },
    ...(weights ? [{ name: `layers.${layer}.topk_weights`, dtype: "F32" as const, shape: [tokens, K] }] : []),
  ]);
  const perToken = (name: string): TensorSpec => ({ name, dtype: "I32", shape: [tokens] });
  const writer = createSafetensorsWriter(path, [...specs, ...["input_ids", "doc_index", "position"].map(perToken)], {
    n_expts_tot: String(nExpertsTot),
    n_expts_act: String(K),
    moe_layers: layers.join(","),
  });
  const numbers = (of: (token: number) => number): Int32Array =>
    Int32Array.from({ length: tokens }, (_, token) => of(token));
  writer.write(
    "input_ids",
    numbers((token) => (token * 7919) % 50_021),
  );
  writer.write(
    "doc_index",
    numbers((token) => Math.floor(token / DOC_TOKENS)),
  );
  writer.write(
    "position",
    numbers((token) => token % DOC_TOKENS),
  );
  for (const layer of layers) {
    const ids = narrow ? new Uint8Array(tokens * K) : new Uint16Array(tokens * K);
    // Steps that are coprime to every number of experts used here give K different ones.
    for (let at = 0, token = 0; token < tokens; token++) {
      const start = Math.imul(token + layer * 31, 0x9e3779b1) >>> 8;
      const swap = differences > 0 && (token + layer) % differences === differences - 1;
      for (let slot = 0; slot < K; slot++, at++)
        ids[at] = (start + 37 * slot + (swap && slot === K - 1 ? 5 : 0)) % nExpertsTot;
    }
    writer.write(`layers.${layer}.topk_ids`, ids);
    writer.write(`layers.${layer}.router_margin`, new Float32Array(tokens).fill(0.01));
    if (!weights) continue;
    const delta = differences > 0 ? 2 ** -22 : 0;
    writer.write(
      `layers.${layer}.topk_weights`,
      new Float32Array(tokens * K).map((_, at) => 0.125 + (at % 97) / 1000 + delta),
    );
  }
  writer.close();
}
