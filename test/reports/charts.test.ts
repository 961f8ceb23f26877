import { describe, expect, test } from "vitest";
import { LoadTally } from "../../metrics/expert-load.ts";
import type { ExpertLoad } from "../../metrics/expert-load.ts";
import { MarginTally } from "../../metrics/margin-histogram.ts";
import { chartSvg } from "../../reports/charts/chart.ts";
import { loadChart } from "../../reports/charts/load-chart.ts";
import { marginChart } from "../../reports/charts/margin-chart.ts";
import { routingCharts } from "../../reports/charts/routing-charts.ts";
import { brokenPicture, heldPicture } from "./example-picture.ts";

const charts = routingCharts(brokenPicture);

/** What the chart says in letters. */
function textsOf(svg: string): string[] {
  return [...svg.matchAll(/<(?:text|tspan)[^>]*>([^<]+)</g)].map(([, text]) => text!);
}

describe("charts of a run's routing", () => {
  test.each(charts)("$name, whole; the same bytes whenever it is drawn", async (chart) => {
    const svg = await chartSvg(chart);
    await expect(svg).toMatchFileSnapshot(`__snapshots__/${chart.name}.svg`);
    // Other charts in between, and at the same time.
    const drawn = await Promise.all([...charts, ...charts, chart].map(chartSvg));
    expect(drawn.at(-1)).toBe(svg);
  });

  test.each(charts)("$name stands alone: it loads nothing, runs nothing, and says what it shows", async (chart) => {
    const svg = await chartSvg(chart);
    expect(svg).not.toMatch(/<script|<image|href=|url\((?!#)|@import|<foreignObject/);
    expect(svg.match(/https?:[^"]*/g)).toEqual(["http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"]);
    expect(svg).toMatch(/^<svg [^>]*role="img" aria-label="(?:Histogram|Heat map) of [^"]+"/);
    expect(svg).toMatch(/@media \(prefers-color-scheme:dark\)/);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  test("no two charts of a page share an id", async () => {
    const ids = (await Promise.all(charts.map(chartSvg))).flatMap((svg) => svg.match(/ id="[^"]+"/g) ?? []);
    expect(ids.length).toBeGreaterThan(0);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("a description with markup stays a description", async () => {
    const svg = await chartSvg({ ...charts[0]!, alt: 'a "b" <script>$& & $1' });
    expect(svg).toContain('aria-label="a &quot;b&quot; &lt;script&gt;$&amp; &amp; $1"');
  });

  test("axes have their units, the title says what is seen", async () => {
    const [margins, load] = await Promise.all(charts.map(async (chart) => textsOf(await chartSvg(chart))));
    expect(margins).toContain("choices per bin");
    expect(margins?.join()).toMatch(/router margin, baseline \(score of/);
    expect(margins).toContain(
      "2,005 choices (a token in a layer): 3 went to other experts (unexplained 2, near-tie 1).",
    );
    expect(margins).toContain("Not drawn: margin 0 (exact ties): 2 choices, 0 of them to other experts.");
    for (const text of ["baseline", "fused", "fused − baseline", "layer", "expert", "× even share"])
      expect(load).toContain(text);
    expect(load).toContain("In 1 of 5 layers they differ, one expert by up to 2 tokens.");
  });

  test("load that is the same is drawn once, and said to be", async () => {
    const texts = textsOf(await chartSvg(loadChart(heldPicture.load!)!));
    expect(texts).toContain("baseline and fused (the same numbers)");
    expect(texts.filter((text) => text === "expert")).toHaveLength(1);
    expect(texts).toContain("Every expert was given the same number of tokens by both.");
  });
});

describe("marks of mismatches", () => {
  const marksOf = async (tally: MarginTally): Promise<string[]> => {
    const svg = await chartSvg(marginChart(tally.result(), 1e-5)!);
    const marks = /mark-symbol role-mark[^>]*>((?:<path[^>]*\/>)*)/.exec(svg)?.[1] ?? "";
    return [...marks.matchAll(/fill="(#\w+)"/g)].map(([, fill]) => fill!);
  };

  test("one for each cause and bin, in the cause's own colour", async () => {
    const tally = new MarginTally();
    tally.addChoices([1e-6, 1e-6, 1e-6, 1e-2, 1e-2]);
    tally.addMismatch(1e-6, "nearTies");
    tally.addMismatch(1e-6, "nearTies");
    tally.addMismatch(1e-6, "downstream");
    tally.addMismatch(1e-2, "unexplained");
    expect((await marksOf(tally)).toSorted()).toEqual(["#0072b2", "#4b5560", "#d55e00"]);
  });

  test("none where nothing differs", async () => {
    const tally = new MarginTally();
    tally.addChoices([1e-6, 0.5]);
    expect(await marksOf(tally)).toEqual([]);
  });
});

describe("data that can hardly be drawn", () => {
  test("no margins, exact ties alone, or experts that were not counted: no chart", () => {
    expect(routingCharts({ ...heldPicture, margins: null, load: null })).toEqual([]);
    const ties = new MarginTally();
    ties.addChoices([0, 0, Number.NaN, Infinity, -1]);
    expect(marginChart(ties.result(), 1e-5)).toBeUndefined();
    expect(loadChart({ ...heldPicture.load!, counts: null })).toBeUndefined();
  });

  test.each([
    ["one margin", [0.25]],
    ["margins from the smallest float32 to the largest", [1.4e-45, 3.4e38]],
  ])("%s", async (_name, values) => {
    const tally = new MarginTally();
    tally.addChoices(values);
    const svg = await chartSvg(marginChart(tally.result(), 0)!);
    expect(svg).not.toMatch(/NaN|Infinity/);
    expect(textsOf(svg)).toContain(
      `${values.length} choice${values.length === 1 ? "" : "s"} (a token in a layer): none went to other experts.`,
    );
  });

  test("a layer or an expert without any token", async () => {
    const tally = new LoadTally({ layers: [3, 9], nExpertsTot: 4 });
    tally.add(0, [1, 1, 1], [1, 1, 2]);
    const svg = await chartSvg(loadChart(tally.result() as ExpertLoad)!);
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  test("a model of 128 layers and 512 experts makes a file of bounded size", async () => {
    const layers = Array.from({ length: 128 }, (_, layer) => layer);
    const tally = new LoadTally({ layers, nExpertsTot: 512 });
    for (const layer of layers) tally.add(layer, [layer, 5, 7], [layer, 5, 8]);
    const svg = await chartSvg(loadChart(tally.result() as ExpertLoad)!);
    expect(svg.length).toBeLessThan(2_000_000);
    expect(textsOf(svg)).toContain("Each cell is 16 neighbouring experts.");
  });
});
