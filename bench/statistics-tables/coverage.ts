/** How often an interval holds the truth. */
import seedrandom from "seedrandom";
import { bootstrap } from "../../metrics/bootstrap.ts";
import { sequentialInterval } from "../../metrics/sequential.ts";
import { tangoInterval } from "../../metrics/tango.ts";
import type { DiscordantPairs } from "../../metrics/tango.ts";
import type { Interval } from "../../metrics/interval.ts";
import { wilsonInterval } from "../../metrics/wilson.ts";
import { markdownTable } from "../markdown-table.ts";
import { byCounts, Draws, percent, pointsOf, shareOf } from "./simulate.ts";
import type { Truth } from "./simulate.ts";
import { DOCS } from "./verdict.ts";

const TRIALS = 20_000;
/** The bootstrap is made anew for each table that is drawn, which takes its time. */
const BOOTSTRAP_TRIALS = 2000;
const RESAMPLES = 999;

const TRUTHS: readonly Truth[] = [
  { discordance: 0.002, difference: 0 },
  { discordance: 0.02, difference: 0 },
  { discordance: 0.02, difference: -0.01 },
  { discordance: 0.1, difference: -0.02 },
];

/** The paired difference's intervals; `normal` is difference -+ 1.96 standard errors, for comparison. */
export function pairedCoverage(): string {
  const rows = TRUTHS.flatMap((truth) =>
    DOCS.map((docs) => [
      `${percent(truth.discordance, 1)} discordant, difference ${pointsOf(truth.difference)}`,
      String(docs),
      coverage("Tango", docs, truth, tangoInterval, TRIALS),
      coverage("normal", docs, truth, normalInterval, TRIALS),
      // At 5000 docs the bootstrap and the normal interval are alike.
      docs > 2000 ? "" : coverage("BCa", docs, truth, bcaInterval, BOOTSTRAP_TRIALS),
      coverage("sequential", docs, truth, sequentialInterval, TRIALS),
    ]),
  );
  return markdownTable(["truth", "n", "Tango", "normal", "BCa", "sequential, one look"], rows);
}

function coverage(
  name: string,
  docs: number,
  truth: Truth,
  intervalOf: (pairs: DiscordantPairs) => Interval | undefined,
  trials: number,
): string {
  const draws = new Draws(`coverage ${name} ${docs} ${truth.discordance} ${truth.difference}`);
  const holds = byCounts((pairs) => {
    const interval = intervalOf(pairs);
    return interval !== undefined && interval.low <= truth.difference && interval.high >= truth.difference;
  });
  return percent(
    shareOf(trials, () => holds(draws.pairs(docs, truth))),
    1,
  );
}

function normalInterval({ n, onlyBaseline, onlyFused }: DiscordantPairs): Interval {
  const delta = (onlyFused - onlyBaseline) / n;
  const squares = onlyBaseline + onlyFused - n * delta ** 2;
  const half = 1.959964 * Math.sqrt(squares / (n - 1) / n);
  return { low: delta - half, high: delta + half };
}

function bcaInterval({ n, onlyBaseline, onlyFused }: DiscordantPairs): Interval | undefined {
  const differences = new Int8Array(n).fill(-1, 0, onlyBaseline).fill(1, onlyBaseline, onlyBaseline + onlyFused);
  const statistic = (docs: Uint32Array): number => {
    let sum = 0;
    for (const doc of docs) sum += differences[doc]!;
    return sum / docs.length;
  };
  const result = bootstrap({ docs: n, statistic, resamples: RESAMPLES });
  if (result.kind === "no spread") return { low: result.estimate, high: result.estimate };
  return result.kind === "estimated" ? result : undefined;
}

/** Of one variant's exact match. */
export function wilsonCoverage(): string {
  const rows = [0.5, 0.9, 0.96, 0.99].map((share) =>
    [String(share)].concat(DOCS.flatMap((docs) => coverageOfShare(share, docs))),
  );
  return markdownTable(
    ["true exact match", ...DOCS.flatMap((docs) => [`Wilson, n = ${docs}`, `mean -+ 1.96 SE, n = ${docs}`])],
    rows,
  );
}

/** Wilson's, and the normal interval's. */
function coverageOfShare(share: number, docs: number): string[] {
  const uniform = seedrandom.tychei(`statistics wilson ${share} ${docs}`);
  const trials = TRIALS / 4;
  let [wilson, normal] = [0, 0];
  for (let trial = 0; trial < trials; trial++) {
    let correct = 0;
    for (let doc = 0; doc < docs; doc++) if (uniform() < share) correct += 1;
    const interval = wilsonInterval(correct, docs) as Interval;
    if (interval.low <= share && interval.high >= share) wilson += 1;
    const mean = correct / docs;
    const half = 1.959964 * Math.sqrt((mean * (1 - mean)) / (docs - 1));
    if (Math.abs(mean - share) <= half) normal += 1;
  }
  return [percent(wilson / trials, 1), percent(normal / trials, 1)];
}
