import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileProblem, makeFolder, writeFileAtomic } from "../reports/files.ts";
import { chartSvg } from "../reports/charts/chart.ts";
import { ROUTING_CHARTS, routingCharts } from "../reports/charts/routing-charts.ts";
import type { SideNames } from "../reports/picture-words.ts";
import type { ReportedPicture } from "../reports/reported-picture.ts";
import type { ChartFile } from "../reports/routing-report.ts";

/** The folder of the charts, beside the report that shows them. */
const CHARTS = "charts";

/**
 * Writes the charts of what there are data for, and removes those of an earlier report for which there are none.
 *
 * @param beside - the folder of the report; it exists
 * @throws UserError where they cannot be written
 */
export async function writeCharts(
  beside: string,
  picture: ReportedPicture | undefined,
  names?: SideNames,
): Promise<ChartFile[]> {
  const folder = join(beside, CHARTS);
  for (const name of ROUTING_CHARTS) rmSync(join(folder, `${name}.svg`), { force: true });
  const charts = picture === undefined ? [] : routingCharts(picture, names);
  if (charts.length === 0) return [];
  await makeFolder(folder).catch((error: unknown) => {
    throw fileProblem(error, folder, "cannot make");
  });
  const files: ChartFile[] = [];
  for (const chart of charts) {
    const file = `${chart.name}.svg`;
    await writeFileAtomic(join(folder, file), await chartSvg(chart));
    files.push({ name: chart.name, path: `${CHARTS}/${file}`, alt: chart.alt });
  }
  return files;
}
