/** The drift alarm on simulated series: how often it is false, and how soon it finds a loss. Measures no time. */
import seedrandom from "seedrandom";
import { cusumThreshold } from "../metrics/cusum-run-length.ts";
import { firstLoss } from "../metrics/drift.ts";
import type { Night } from "../metrics/drift.ts";
import { markdownTable } from "./markdown-table.ts";

export interface SimulatedSeries {
  readonly docs: number;
  readonly accuracy: number;
  /** Night-to-night standard deviation as a multiple of the binomial one. */
  readonly spread: number;
  readonly nights: number;
  /** Nights before the loss; none without it. */
  readonly lossAfter?: number;
  /** In points of a percent. */
  readonly loss?: number;
}

/** Normal counts, rounded to whole docs and cut at none and all. */
function simulateNights(series: SimulatedSeries, random: () => number): Night[] {
  const { docs, accuracy, spread, nights, lossAfter = Infinity, loss = 0 } = series;
  const deviation = spread * Math.sqrt(docs * accuracy * (1 - accuracy));
  return Array.from({ length: nights }, (_, night) => {
    const mean = docs * (accuracy - (night >= lossAfter ? loss / 100 : 0));
    const correct = Math.round(mean + deviation * gaussian(random));
    return { correct: Math.min(docs, Math.max(0, correct)), n: docs };
  });
}

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Alarms per night up to each series' first one, and the share of series with one in the first 30 nights. */
export function falseAlarms(
  series: SimulatedSeries,
  { threshold, repeats, seed }: { readonly threshold: number; readonly repeats: number; readonly seed: string },
): { readonly perNight: number; readonly early: number } {
  const random = seedrandom(seed);
  let [alarms, nights, early] = [0, 0, 0];
  for (let i = 0; i < repeats; i++) {
    const first = firstLoss(simulateNights(series, random), threshold);
    if (first !== undefined) alarms += 1;
    if (first !== undefined && first < 30) early += 1;
    nights += first === undefined ? series.nights : first + 1;
  }
  return { perNight: alarms / nights, early: early / repeats };
}

/** Nights from a loss to its alarm; those that were called before it are left out. */
export function delays(
  series: SimulatedSeries & { readonly lossAfter: number },
  { threshold, repeats, seed }: { readonly threshold: number; readonly repeats: number; readonly seed: string },
): number[] {
  const random = seedrandom(seed);
  const found: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const first = firstLoss(simulateNights(series, random), threshold) ?? Infinity;
    if (first >= series.lossAfter) found.push(first - series.lossAfter + 1);
  }
  return found;
}

const STATED_NIGHTS: number = 1000;
const REPEATS = 400;
const SPREADS: readonly (readonly [words: string, spread: number])[] = [
  ["the same to the doc", 0],
  ["0.1 of binomial", 0.1],
  ["0.3 of binomial", 0.3],
  ["binomial", 1],
  ["1.5 of binomial (hosts that differ)", 1.5],
];
const SIZES: readonly (readonly [docs: number, accuracy: number])[] = [
  [100, 0.9],
  [1319, 0.95],
  [1319, 0.6],
];

export function benchDrift(): Promise<string> {
  const threshold = cusumThreshold(STATED_NIGHTS);
  const quiet: string[][] = [];
  const late: string[][] = [];
  for (const [docs, accuracy] of SIZES) {
    for (const [words, spread] of SPREADS) {
      const series = { docs, accuracy, spread };
      const options = { threshold, repeats: REPEATS, seed: `${docs} ${accuracy} ${spread}` };
      const { perNight, early } = falseAlarms({ ...series, nights: 3 * STATED_NIGHTS }, options);
      quiet.push([
        words,
        String(docs),
        String(accuracy),
        (1000 * perNight).toFixed(2),
        `${(100 * early).toFixed(1)} %`,
      ]);
    }
  }
  for (const [words, spread] of SPREADS.slice(0, 4)) {
    for (const lossAfter of [10, 30, 100]) {
      const cells = [0.5, 1, 2, 5].map((loss) => {
        const series = { docs: 1319, accuracy: 0.95, spread, nights: lossAfter + 90, lossAfter, loss };
        const found = delays(series, { threshold, repeats: 200, seed: `${spread} ${lossAfter} ${loss}` });
        const within = found.filter((nights) => nights <= 90);
        const middle = found.toSorted((a, b) => a - b)[Math.floor(found.length / 2)] ?? Infinity;
        return `${middle <= 90 ? String(middle) : "> 90"} (${Math.round((100 * within.length) / found.length)} %)`;
      });
      late.push([words, String(lossAfter), ...cells]);
    }
  }
  const text = [
    markdownTable(["night to night", "docs", "exact match", "false alarms in 1,000 nights", "in the first 30"], quiet),
    "",
    `${REPEATS} series of up to ${3 * STATED_NIGHTS} nights each, until the first alarm; stated: 1 in ${STATED_NIGHTS} nights (threshold ${threshold.toFixed(3)}), which makes 3.0 % in the first 30.`,
    "",
    markdownTable(["night to night", "nights before", "loss of 0.5 points", "1 point", "2 points", "5 points"], late),
    "",
    "1,319 docs, exact match 0.95: the median number of nights until the alarm, the first bad one included, and the share of 200 series in which it came within 90 nights.",
  ];
  return Promise.resolve(text.join("\n"));
}
