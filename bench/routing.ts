/**
 * How fast routing data are made: the reference chain against the fused one, and against a plain copy of the same bytes,
 * which no implementation can beat.
 */
import { createRoutingData, fusedRoutingFromTopk } from "../engine/routing/fused.ts";
import { routingFromTopk } from "../engine/routing/reference-chain.ts";
import type { RoutingData, RoutingInput } from "../engine/routing/routing-data.ts";
import { markdownTable } from "./markdown-table.ts";

const TOKENS = [1, 64, 512, 4096, 65536];
const COLUMNS = [
  "N",
  "K",
  "E",
  "NK",
  "reference, ns",
  "fused, ns",
  "fused into given buffers, ns",
  "copy, ns",
  "reference / fused",
  "fused into buffers / copy",
];
const SHAPES = [
  { nExpertsAct: 6, nExpertsTot: 256 },
  { nExpertsAct: 8, nExpertsTot: 384 },
];

/** Timed batches per implementation; the fastest is reported: what else the machine does can only add to it. */
const BATCHES = 9;
/** Long enough that the clock's resolution and a single interruption do not matter, in milliseconds. */
const BATCH_MS = 20;

/** A Markdown table of nanoseconds per entry (one token's one expert); lower is better. Takes about 20 seconds. */
export function benchRouting(): Promise<string> {
  const rows: string[][] = [];
  const growth: string[] = [];
  for (const shape of SHAPES) {
    const fusedPerEntry = new Map<number, number>();
    for (const nTokens of TOKENS) {
      const input = randomInput(nTokens, shape.nExpertsAct, shape.nExpertsTot);
      const times = timePerEntry(input);
      fusedPerEntry.set(nTokens, times.fused);
      rows.push(rowOf(input, times));
    }
    const [at512 = NaN, at65536 = NaN] = [fusedPerEntry.get(512), fusedPerEntry.get(65536)];
    growth.push(`${(at65536 / at512).toFixed(2)} (K = ${shape.nExpertsAct}, E = ${shape.nExpertsTot})`);
  }
  const table = [
    markdownTable(COLUMNS, rows),
    "",
    `Nanoseconds per entry, fastest of ${BATCHES} batches. "copy" copies the bytes that go in and out (ids and weights; three arrays ` +
      "of NK and the histogram) and is the limit.",
    `Growth: fused time per entry at N = 65536 over that at N = 512 (1 is linear): ${growth.join("; ")}.`,
  ];
  return Promise.resolve(table.join("\n"));
}

interface Times {
  readonly reference: number;
  readonly fused: number;
  readonly fusedInto: number;
  readonly copy: number;
}

/** Nanoseconds per entry. The candidates take turns, so that a slow moment of the machine meets all of them. */
function timePerEntry(input: RoutingInput): Times {
  const out = createRoutingData(input);
  const candidates = {
    reference: () => routingFromTopk(input),
    fused: () => fusedRoutingFromTopk(input),
    fusedInto: () => fusedRoutingFromTopk(input, out),
    copy: () => copySameBytes(input, out),
  };
  const names = ["reference", "fused", "fusedInto", "copy"] as const;
  const repeats = new Map(names.map((name) => [name, repeatsFor(candidates[name])]));
  const samples = new Map(names.map((name) => [name, [] as number[]]));
  for (let batch = 0; batch < BATCHES; batch++) {
    for (const name of names) samples.get(name)?.push(runBatch(candidates[name], repeats.get(name) ?? 1));
  }
  const nanosecondsOf = (name: (typeof names)[number]): number =>
    (Math.min(...(samples.get(name) ?? [])) * 1e6) / input.topkIds.length;
  return {
    reference: nanosecondsOf("reference"),
    fused: nanosecondsOf("fused"),
    fusedInto: nanosecondsOf("fusedInto"),
    copy: nanosecondsOf("copy"),
  };
}

function copySameBytes(input: RoutingInput, out: RoutingData): RoutingData {
  out.topkIndx.set(input.topkIds);
  out.gateIndx.set(input.topkIds);
  out.gateScal.set(input.topkWeights);
  out.hist.fill(0);
  return out;
}

/** Calls per batch; finding it warms the compiler up as well. */
function repeatsFor(work: () => unknown): number {
  let repeats = 1;
  for (;;) {
    const milliseconds = runBatch(work, repeats) * repeats;
    if (milliseconds >= BATCH_MS) return Math.max(1, Math.round((repeats * BATCH_MS) / milliseconds));
    repeats *= 2;
  }
}

/** Milliseconds per call. */
function runBatch(work: () => unknown, repeats: number): number {
  const start = performance.now();
  for (let i = 0; i < repeats; i++) work();
  return (performance.now() - start) / repeats;
}

/** Distinct experts per token, drawn evenly; the same numbers in every run. */
function randomInput(nTokens: number, nExpertsAct: number, nExpertsTot: number): RoutingInput {
  let state = 1;
  // Numerical Recipes' 32-bit linear congruential generator; its high bits are good enough to draw experts with.
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const topkIds = new Int32Array(nTokens * nExpertsAct);
  for (let token = 0; token < nTokens; token++) {
    const row = topkIds.subarray(token * nExpertsAct, (token + 1) * nExpertsAct).fill(-1);
    for (let slot = 0; slot < nExpertsAct; slot++) {
      let id = Math.floor(random() * nExpertsTot);
      while (row.includes(id)) id = (id + 1) % nExpertsTot;
      row[slot] = id;
    }
  }
  const topkWeights = Float32Array.from(topkIds, () => random());
  return { topkIds, topkWeights, nTokens, nExpertsAct, nExpertsTot };
}

function rowOf({ nTokens, nExpertsAct, nExpertsTot }: RoutingInput, times: Times): string[] {
  const { reference, fused, fusedInto, copy } = times;
  return [
    ...[nTokens, nExpertsAct, nExpertsTot, nTokens * nExpertsAct].map(String),
    digits(reference),
    digits(fused),
    digits(fusedInto),
    digits(copy),
    digits(reference / fused),
    digits(fusedInto / copy),
  ];
}

function digits(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(0);
}
