/** Writes the comparison of two captures into a folder: JSON, Markdown and charts. */
import { join } from "node:path";
import type { CaptureComparison } from "../reports/capture-comparison.ts";
import { renderCaptureReport } from "../reports/capture-report.ts";
import { CAPTURE_SIDES } from "../reports/capture-text.ts";
import { fileProblem, makeFolder, writeFileAtomic } from "../reports/files.ts";
import { jsonFileText } from "../reports/json.ts";
import { writeCharts } from "./write-charts.ts";

/**
 * Files of an earlier comparison are replaced, and nothing else in the folder is touched.
 *
 * @throws UserError where the folder cannot be made or written
 */
export async function writeCaptureReport(folder: string, comparison: CaptureComparison): Promise<void> {
  await makeFolder(folder).catch((error: unknown) => {
    throw fileProblem(error, folder, "cannot make");
  });
  await writeFileAtomic(join(folder, "comparison.json"), jsonFileText(comparison));
  const charts = await writeCharts(folder, comparison.picture, CAPTURE_SIDES);
  await writeFileAtomic(join(folder, "routing.md"), renderCaptureReport(comparison, charts));
}
