/** Writes a night into the history, in one transaction, and looks whether a series left its own level. */
import { EngineError, UserError } from "../errors.ts";
import { shownPlace } from "../reports/history/dialects.ts";
import { openHistory } from "../reports/history/history.ts";
import type { History, Series } from "../reports/history/history.ts";
import { driftSentence, hintLines, seriesTitle, sparkline } from "../reports/history/trend-text.ts";
import { trendOf } from "../reports/history/trend.ts";
import type { HistoryRun } from "../reports/history/record.ts";
import type { Alarm, HistoryState, SeriesLine } from "./summary.ts";

/** As many as fit beside their name. */
const CHART_NIGHTS = 30;

export interface HistoryWritten {
  readonly history: HistoryState;
  readonly alarms: readonly Alarm[];
  readonly trends: readonly SeriesLine[];
}

/** A database that fails leaves the night as it is: the run folders hold it all. */
export async function writeHistory(
  place: string,
  runs: readonly HistoryRun[],
  { falseAlarmNights }: { readonly falseAlarmNights: number },
): Promise<HistoryWritten> {
  const shown = shownPlace(place);
  try {
    const history = await openHistory(place);
    try {
      await history.add(runs);
      const series = await seriesOf(history, runs);
      const alarms: Alarm[] = [];
      const trends: SeriesLine[] = [];
      for (const each of series) {
        const trend = await trendOf(history, each, { falseAlarmNights, together: series.length, bisectHint: true });
        const { drift, hint, judged } = trend;
        const text = driftSentence(trend);
        trends.push({ series: seriesTitle(each), chart: sparkline(judged.slice(-CHART_NIGHTS)), text });
        if (drift.kind !== "loss" && drift.kind !== "gain") continue;
        const hints = hint === undefined ? [] : hintLines(hint);
        alarms.push({ series: seriesTitle(each), row: each.name, kind: drift.kind, text, hint: hints });
      }
      return { history: { kind: "written", place: shown, series: series.length }, alarms, trends };
    } finally {
      await history.close();
    }
  } catch (error) {
    if (!(error instanceof UserError || error instanceof EngineError)) throw error;
    return { history: { kind: "lost", place: shown, reason: error.message }, alarms: [], trends: [] };
  }
}

/** Those that this night belongs to: a row that did not run says nothing new. */
async function seriesOf(history: History, runs: readonly HistoryRun[]): Promise<readonly Series[]> {
  const found: Series[] = [];
  for (const { name, model, engine, task, protocol } of runs.filter(({ complete }) => complete)) {
    const all = await history.series({ name, engine, task });
    found.push(...all.filter((each) => each.name === name && each.model === model && each.protocol === protocol));
  }
  return found;
}
