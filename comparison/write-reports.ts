/** Writes what a run found into its folder: JSON first, from which all else can be made again. */
import { rmSync } from "node:fs";
import type { Comparison } from "../reports/comparison.ts";
import { writeFileAtomic } from "../reports/files.ts";
import { jsonFileText } from "../reports/json.ts";
import { renderReport } from "../reports/markdown.ts";
import { renderRoutingReport } from "../reports/routing-report.ts";
import type { RunFolder } from "../reports/run-folder.ts";
import { writeCharts } from "./write-charts.ts";

export async function writeReports(folder: RunFolder, comparison: Comparison): Promise<void> {
  await writeFileAtomic(folder.file("comparison.json"), jsonFileText(comparison));
  await writeFileAtomic(folder.file("report.md"), renderReport(comparison));
  const { parity } = comparison;
  const charts = await writeCharts(folder.path, parity.kind === "judged" ? parity.picture : undefined);
  const routing = renderRoutingReport(comparison, charts);
  const file = folder.file("routing.md");
  // That of an earlier session may be of what is no longer judged.
  if (routing === undefined) rmSync(file, { force: true });
  else await writeFileAtomic(file, routing);
}
