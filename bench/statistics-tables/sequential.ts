/** The sequential test: how often it is wrong over all looks together, and how early it ends. */
import { decideSequentially } from "../../metrics/sequential.ts";
import type { Decision } from "../../metrics/decide.ts";
import { DOCS_PER_LOOK } from "../../comparison/until-decided.ts";
import { markdownTable } from "../markdown-table.ts";
import { byCounts, Draws, percent, pointsOf } from "./simulate.ts";
import type { Truth } from "./simulate.ts";

const MARGIN = 0.01;
const MOST_DOCS = 5000;
const TRIALS = 2000;

const TRUTHS: readonly Truth[] = [
  { discordance: 0, difference: 0 },
  { discordance: 0.01, difference: 0 },
  { discordance: 0.03, difference: 0 },
  { discordance: 0.1, difference: 0 },
  { discordance: 0.01, difference: -0.01 },
  { discordance: 0.03, difference: -0.01 },
  { discordance: 0.1, difference: -0.01 },
  { discordance: 0.04, difference: -0.02 },
  { discordance: 0.07, difference: -0.05 },
  { discordance: 0.5, difference: -0.5 },
];

interface Ended {
  readonly decision: Decision;
  readonly docs: number;
}

export function sequential(): string {
  const rows = TRUTHS.map((truth) => {
    const ends = endsOf(truth);
    const share = (decision: Decision): string =>
      percent(ends.filter((end) => end.decision === decision).length / ends.length, 1);
    const middle = ends.map(({ docs }) => docs).toSorted((a, b) => a - b)[Math.floor(ends.length / 2)] as number;
    return [
      `${percent(truth.discordance, 0)} discordant, difference ${pointsOf(truth.difference)}`,
      share("equivalent"),
      share("regressed"),
      share("improved"),
      share("inconclusive"),
      middle.toLocaleString("en-US"),
    ];
  });
  return markdownTable(["truth", "equivalent", "regressed", "improved", "not decided", "docs (median)"], rows);
}

function endsOf(truth: Truth): Ended[] {
  const draws = new Draws(`sequential ${truth.discordance} ${truth.difference}`);
  const decided = byCounts((pairs) => decideSequentially([pairs], { margin: MARGIN })[0] as Decision);
  return Array.from({ length: TRIALS }, () => {
    const discordant = [...draws.discordant(MOST_DOCS, truth)];
    let [next, onlyBaseline, onlyFused] = [0, 0, 0];
    for (let n = DOCS_PER_LOOK; n < MOST_DOCS + DOCS_PER_LOOK; n += DOCS_PER_LOOK) {
      const docs = Math.min(n, MOST_DOCS);
      for (; next < discordant.length && discordant[next]!.doc < docs; next++) {
        if (discordant[next]!.lost) onlyBaseline += 1;
        else onlyFused += 1;
      }
      const decision = decided({ n: docs, onlyBaseline, onlyFused });
      if (decision !== "inconclusive") return { decision, docs };
    }
    return { decision: "inconclusive", docs: MOST_DOCS };
  });
}
