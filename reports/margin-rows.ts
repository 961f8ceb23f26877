/** The histogram of router margins as a table: one row for each factor of ten. */
import type { MarginBin, MarginCounts, MarginHistogram } from "../metrics/margin-histogram.ts";
import { count } from "./number-text.ts";

export const MARGIN_HEAD = ["router margin", "choices", "unexplained", "near-tie", "downstream"] as const;

const COUNTED = ["choices", "unexplained", "nearTies", "downstream"] as const satisfies readonly (keyof MarginCounts)[];

export function marginRows({ bins, zero, other }: MarginHistogram): string[][] {
  const decades = new Map<number, MarginBin[]>();
  for (const bin of bins) {
    const decade = Math.floor(Math.log10(bin.from) + 1e-6);
    decades.set(decade, [...(decades.get(decade) ?? []), bin]);
  }
  const row = (name: string, parts: readonly MarginCounts[]): string[] => [
    name,
    ...COUNTED.map((of) => count(parts.reduce((sum, part) => sum + part[of], 0))),
  ];
  return [
    ...(zero.choices > 0 ? [row("0", [zero])] : []),
    ...[...decades].map(([decade, parts]) => row(`1e${decade} to 1e${decade + 1}`, parts)),
    ...(other.choices > 0 ? [row("below 0 or not finite", [other])] : []),
  ];
}
