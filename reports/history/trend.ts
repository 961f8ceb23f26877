/** A series and what its nights say. */
import { cusumThreshold } from "../../metrics/cusum-run-length.ts";
import { driftOf } from "../../metrics/drift.ts";
import type { Drift } from "../../metrics/drift.ts";
import { changedFacts } from "./bisect-hint.ts";
import type { ChangedFact } from "./bisect-hint.ts";
import type { History, HistoryNight, Series } from "./history.ts";

/** One false alarm in so many nights, over all series that are looked at together. */
export const DEFAULT_FALSE_ALARM_NIGHTS: number = 1000;

export interface Trend {
  readonly series: Series;
  /** Oldest first; nights in which docs failed among them. */
  readonly nights: readonly HistoryNight[];
  readonly drift: Drift;
  /** The nights that `drift` counts: those that are complete. */
  readonly judged: readonly HistoryNight[];
  readonly threshold: number;
  /** What changed between the last good night and the first bad one; only where it was asked for and there is a change. */
  readonly hint?: BisectHint;
}

export interface BisectHint {
  readonly lastGood: { readonly created: string; readonly folder: string };
  readonly firstBad: { readonly created: string; readonly folder: string };
  readonly changed: readonly ChangedFact[];
}

export interface TrendOptions {
  /** Default: 1000. */
  readonly falseAlarmNights?: number;
  /** How many series share that rate. Default: 1. */
  readonly together?: number;
  readonly bisectHint?: boolean;
}

/** Solved once for a rate: a night has as many series as rows, variants and filters. */
const thresholds = new Map<number, number>();

function thresholdFor(nights: number): number {
  const threshold = thresholds.get(nights) ?? cusumThreshold(Math.min(1e7, nights));
  thresholds.set(nights, threshold);
  return threshold;
}

export async function trendOf(history: History, series: Series, options: TrendOptions = {}): Promise<Trend> {
  const { falseAlarmNights = DEFAULT_FALSE_ALARM_NIGHTS, together = 1, bisectHint = false } = options;
  const nights = await history.nights(series);
  const judged = nights.filter(({ complete, n }) => complete && n > 0);
  const threshold = thresholdFor(falseAlarmNights * together);
  const drift = driftOf(judged, threshold);
  if (!bisectHint || drift.kind === "too short" || drift.kind === "steady")
    return { series, nights, judged, drift, threshold };
  const [good, bad] = [judged[drift.lastGood]!, judged[drift.firstBad]!];
  const [before, now] = [await history.run(good.run), await history.run(bad.run)];
  return {
    series,
    nights,
    judged,
    drift,
    threshold,
    hint: {
      lastGood: { created: good.created, folder: before.folder },
      firstBad: { created: bad.created, folder: now.folder },
      changed: changedFacts(before.facts, now.facts),
    },
  };
}
