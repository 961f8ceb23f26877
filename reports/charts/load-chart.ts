/** Which experts the tokens went to, layer by layer and per variant: heat maps. */
import type { ExpertLoad } from "../../metrics/expert-load.ts";
import { count, counted, size } from "../number-text.ts";
import { RUN_SIDES } from "../picture-words.ts";
import type { SideNames } from "../picture-words.ts";
import type { Chart } from "./chart.ts";
import { colour } from "./theme.ts";

/** Cells of one heat map: an SVG of more is megabytes. With more experts, neighbours share a cell. */
const MAX_CELLS = 4096;
const WIDTH = 560;

/** Undefined where the load was not counted by expert. */
export function loadChart(
  { counts, layers, nExpertsTot }: ExpertLoad,
  [nameOfA, nameOfB]: SideNames = RUN_SIDES,
): Chart | undefined {
  if (counts === null || layers.length === 0) return undefined;
  const perCell = Math.ceil((layers.length * nExpertsTot) / MAX_CELLS);
  const numbers = layers.map(({ layer }) => layer);
  const cells = { numbers, perCell };
  const imbalance = (side: "baseline" | "fused"): number => Math.max(...layers.map((layer) => layer[side].imbalance));
  const changed = layers.filter(({ change }) => change !== null);
  const baseline = shares(counts.baseline, cells);
  const fused = shares(counts.fused, cells);
  const reach = reachOf([...baseline, ...fused]);
  const scale = { type: "log", scheme: "blueorange", domain: [1 / reach, reach], clamp: true } as const;
  const share = { scale, title: "tokens, × even share", format: "~r", values: [1 / reach, 1, reach] };
  const same = changed.length === 0;
  const panels = [
    panel(baseline, cells, { ...share, heading: same ? `${nameOfA} and ${nameOfB} (the same numbers)` : nameOfA }),
    ...(same
      ? []
      : [panel(fused, cells, { ...share, heading: nameOfB }), changePanel(counts, cells, `${nameOfB} − ${nameOfA}`)]),
  ];
  const most = `busiest expert: ${size(imbalance("baseline"))} × the even share in ${nameOfA}, ${size(imbalance("fused"))} × in ${nameOfB}`;
  const largest = Math.max(...changed.map(({ change }) => Math.abs(change?.tokens ?? 0)));
  const outcome = same
    ? "every expert was given the same number of tokens by both"
    : `in ${count(changed.length)} of ${counted(layers.length, "layer")} they differ, one expert by up to ${counted(largest, "token")}`;
  return {
    name: "expert-load",
    alt: `Heat map of the tokens per expert in ${counted(layers.length, "MoE layer")} with ${counted(nExpertsTot, "expert")}: ${outcome}; ${most}.`,
    spec: {
      title: {
        text: "Expert load: which experts the tokens went to",
        subtitle: [
          `${most[0]!.toUpperCase()}${most.slice(1)}.`,
          `${outcome[0]!.toUpperCase()}${outcome.slice(1)}.`,
          ...(perCell > 1 ? [`Each cell is ${counted(perCell, "neighbouring expert")}.`] : []),
        ],
      },
      vconcat: panels,
      resolve: { scale: { color: "independent" } },
      spacing: 18,
    },
  };
}

interface Cells {
  /** Model layer numbers. */
  readonly numbers: readonly number[];
  /** Experts that share a cell. */
  readonly perCell: number;
}

interface Cell {
  readonly layer: number;
  /** The first of the cell's experts. */
  readonly expert: number;
  readonly value: number;
}

type Rows = readonly (readonly number[])[];

/** @param valueOf - of the experts from `start` on that share a cell */
function cellsOf(
  rows: Rows,
  { numbers, perCell }: Cells,
  valueOf: (own: readonly number[], row: number) => number,
): Cell[] {
  return rows.flatMap((row, index) =>
    Array.from({ length: Math.ceil(row.length / perCell) }, (_, cell) => ({
      layer: numbers[index]!,
      expert: cell * perCell,
      value: valueOf(row.slice(cell * perCell, (cell + 1) * perCell), index),
    })),
  );
}

function shares(rows: Rows, cells: Cells): Cell[] {
  const means = rows.map((row) => total(row) / row.length);
  return cellsOf(rows, cells, (own, row) => (means[row] === 0 ? 1 : total(own) / own.length / means[row]!));
}

/** The scale ends at a power of two: 2 at least, and 16 at most. Experts without a token are at its lower end. */
function reachOf(cells: readonly Cell[]): number {
  const farthest = Math.max(...cells.map(({ value }) => (value > 0 ? Math.max(value, 1 / value) : 1)));
  return 2 ** Math.min(4, Math.max(1, Math.ceil(Math.log2(farthest))));
}

interface PanelOptions {
  readonly heading: string;
  readonly title: string;
  readonly scale: object;
  readonly format: string;
  readonly values: readonly number[];
}

type Panel = Extract<Chart["spec"], { readonly vconcat: readonly unknown[] }>["vconcat"][number];

function panel(cells: readonly Cell[], { numbers, perCell }: Cells, options: PanelOptions): Panel {
  const columns = cells.length / numbers.length;
  const width = Math.max(2, Math.floor(WIDTH / columns));
  const height = Math.min(18, Math.max(3, Math.floor(360 / numbers.length)));
  const [everyColumn, everyRow] = [Math.ceil(columns / 20), Math.ceil(numbers.length / 16)];
  return {
    width: width * columns,
    height: height * numbers.length,
    title: { text: options.heading, fontSize: 12, fontWeight: "normal", anchor: "start", offset: 4 },
    data: { values: cells.map(({ layer, expert, value }) => ({ layer, expert, value: round(value) })) },
    // Cells that are wide enough stand apart.
    mark: { type: "rect", ...(Math.min(width, height) > 6 && { stroke: colour("ground"), strokeWidth: 1 }) },
    encoding: {
      x: {
        field: "expert",
        type: "ordinal",
        title: "expert",
        axis: {
          labelAngle: 0,
          labelOverlap: false,
          values: Array.from({ length: Math.ceil(columns / everyColumn) }, (_, i) => i * everyColumn * perCell),
        },
      },
      y: {
        field: "layer",
        type: "ordinal",
        title: "layer",
        axis: { values: numbers.filter((_, index) => index % everyRow === 0) },
      },
      color: {
        field: "value",
        type: "quantitative",
        scale: options.scale,
        legend: {
          title: options.title.split(", "),
          format: options.format,
          values: [...options.values],
          gradientLength: Math.max(60, Math.min(height * numbers.length, 160)),
        },
      },
    },
  };
}

function changePanel({ baseline, fused }: NonNullable<ExpertLoad["counts"]>, cells: Cells, heading: string): Panel {
  const changes = fused.map((row, index) => row.map((value, expert) => value - baseline[index]![expert]!));
  const values = cellsOf(changes, cells, total);
  const reach = Math.max(1, ...values.map(({ value }) => Math.abs(value)));
  return panel(values, cells, {
    heading,
    title: "tokens, more or fewer",
    scale: { scheme: "purplegreen", domain: [-reach, reach], domainMid: 0 },
    format: "~s",
    values: [-reach, 0, reach],
  });
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** What is not seen need not be in the file. */
function round(value: number): number {
  return Number(value.toPrecision(4));
}
