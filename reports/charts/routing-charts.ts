/** The charts of what two variants' routers chose. */
import type { RoutingPicture } from "../../metrics/routing-picture.ts";
import { RUN_SIDES } from "../picture-words.ts";
import type { SideNames } from "../picture-words.ts";
import type { Chart } from "./chart.ts";
import { loadChart } from "./load-chart.ts";
import { marginChart } from "./margin-chart.ts";

/** Their names. */
export const ROUTING_CHARTS = ["router-margins", "expert-load"] as const;

/** Those for which there are data. */
export function routingCharts(
  { margins, load, nearTieMargin }: Omit<RoutingPicture, "worst">,
  names: SideNames = RUN_SIDES,
): Chart[] {
  const charts = [margins && marginChart(margins, nearTieMargin, names), load && loadChart(load, names)];
  return charts.filter((chart) => chart !== null && chart !== undefined);
}
