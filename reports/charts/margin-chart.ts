/** How close the routers' choices were, and which came out otherwise: router margins on a logarithmic axis. */
import type { MarginCounts, MarginHistogram } from "../../metrics/margin-histogram.ts";
import { count, counted, size } from "../number-text.ts";
import { RUN_SIDES } from "../picture-words.ts";
import type { SideNames } from "../picture-words.ts";
import type { Chart } from "./chart.ts";
import { colour } from "./theme.ts";

const CLASSES = [
  { key: "unexplained", name: "unexplained", shape: "triangle-up", colour: colour("vermilion") },
  { key: "nearTies", name: "near-tie", shape: "circle", colour: colour("blue") },
  { key: "downstream", name: "downstream", shape: "square", colour: colour("grey") },
] as const;

const CLASS_TITLE = "choices that went to other experts, per bin and by cause";

/** Counts begin here, so that a bar of one choice is seen on a logarithmic axis. */
const FLOOR = 0.6;

/** Undefined where no margin can be drawn. */
export function marginChart(
  { bins, zero, other }: MarginHistogram,
  nearTieMargin: number,
  [nameOfA]: SideNames = RUN_SIDES,
): Chart | undefined {
  const [first, last] = [bins.at(0), bins.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const all = [...bins, zero, other];
  const mismatches = CLASSES.map(({ key, name }) => [name, sum(all, key)] as const).filter(([, n]) => n > 0);
  const differing = mismatches.reduce((total, [, n]) => total + n, 0);
  const choices = sum(all, "choices");
  const outcome =
    differing === 0
      ? "none went to other experts"
      : `${count(differing)} went to other experts (${mismatches.map(([name, n]) => `${name} ${count(n)}`).join(", ")})`;
  const below = bins.filter(({ to }) => to <= nearTieMargin).reduce((n, bin) => n + bin.choices, zero.choices);
  const aside = asideText(zero, other);
  const points = bins.flatMap((bin) =>
    CLASSES.filter(({ key }) => bin[key] > 0).map(({ key, name }) => ({
      margin: Math.sqrt(bin.from * bin.to),
      count: bin[key],
      class: name,
    })),
  );
  const domain = [Math.min(first.from, nearTieMargin > 0 ? nearTieMargin : first.from), last.to];
  const most = Math.max(...bins.map((bin) => bin.choices));
  const logarithmic = (ends: readonly number[]) => ({
    type: "quantitative" as const,
    scale: { type: "log" as const, domain: [...ends], nice: false },
  });
  const [x, y] = [logarithmic(domain), logarithmic([FLOOR, 1.4 * most])];
  const tie = {
    data: { values: nearTieMargin > 0 ? [{ margin: nearTieMargin, label: tieLabel(nearTieMargin, below) }] : [] },
  };
  return {
    name: "router-margins",
    alt:
      `Histogram of the router margins of ${counted(choices, "choice")} of ${nameOfA}, from ${size(first.from)} to ` +
      `${size(last.to)}: ${outcome}.`,
    spec: {
      width: 620,
      height: 260,
      title: {
        text: "Router margins: how close were the choices, and which came out otherwise?",
        subtitle: [`${counted(choices, "choice")} (a token in a layer): ${outcome}.`, ...aside],
      },
      layer: [
        {
          data: { values: bins.map(({ from, to, choices: n }) => ({ from, to, choices: n, floor: FLOOR })) },
          mark: { type: "bar", color: colour("bar"), binSpacing: 1 },
          encoding: {
            x: {
              ...x,
              field: "from",
              title: `router margin, ${nameOfA} (score of the last expert chosen − best one left out; 4 bins per factor of 10)`,
              axis: {
                values: powersOfTen(domain),
                labelExpr: "replace(format(datum.value, '~e'), '+', '')",
                grid: false,
              },
            },
            x2: { field: "to" },
            y: {
              ...y,
              field: "choices",
              title: "choices per bin",
              axis: { values: powersOfTen([1, most]), format: "~s" },
            },
            y2: { field: "floor" },
          },
        },
        {
          ...tie,
          mark: { type: "rule", color: colour("faint"), strokeDash: [4, 3] },
          encoding: { x: { ...x, field: "margin" } },
        },
        {
          ...tie,
          mark: { type: "text", align: "left", baseline: "top", dx: 5, y: 4, color: colour("faint"), fontSize: 11 },
          encoding: { x: { ...x, field: "margin" }, text: { field: "label" } },
        },
        {
          data: { values: points },
          mark: { type: "point", filled: true, size: 80, opacity: 1, stroke: colour("ground"), strokeWidth: 0.8 },
          encoding: {
            x: { ...x, field: "margin" },
            y: { ...y, field: "count" },
            shape: {
              field: "class",
              type: "nominal",
              title: CLASS_TITLE,
              scale: { domain: CLASSES.map(({ name }) => name), range: CLASSES.map(({ shape }) => shape) },
              legend: { orient: "top", direction: "horizontal" },
            },
            color: {
              field: "class",
              type: "nominal",
              title: CLASS_TITLE,
              scale: { domain: CLASSES.map(({ name }) => name), range: CLASSES.map(({ colour: own }) => own) },
            },
          },
        },
      ],
    },
  };
}

/** Left of it, a choice may fall either way. */
function tieLabel(margin: number, below: number): string {
  return `near-tie up to ${size(margin)} (${counted(below, "choice")})`;
}

function asideText(zero: MarginCounts, other: MarginCounts): string[] {
  const parts = [
    ...(zero.choices > 0 ? [`margin 0 (exact ties): ${withMismatches(zero)}`] : []),
    ...(other.choices > 0 ? [`below 0 or not finite: ${withMismatches(other)}`] : []),
  ];
  return parts.length === 0 ? [] : [`Not drawn: ${parts.join("; ")}.`];
}

function withMismatches(counts: MarginCounts): string {
  const differing = CLASSES.reduce((n, { key }) => n + counts[key], 0);
  return `${counted(counts.choices, "choice")}, ${count(differing)} of them to other experts`;
}

function sum(counts: readonly MarginCounts[], of: keyof MarginCounts): number {
  return counts.reduce((total, each) => total + each[of], 0);
}

function powersOfTen([from = 1, to = 1]: readonly number[]): number[] {
  const [first, last] = [Math.ceil(Math.log10(from) - 1e-9), Math.floor(Math.log10(to) + 1e-9)];
  return Array.from({ length: Math.max(1, last - first + 1) }, (_, i) => Number(`1e${first + i}`));
}
