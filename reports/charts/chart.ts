/** A chart: a Vega-Lite specification that holds its data, drawn as SVG without a browser. */
import type { TopLevelSpec } from "vega-lite";
import { THEME, themedSvg } from "./theme.ts";

export interface Chart {
  /** What it is called as a file, without ending. */
  readonly name: string;
  /** What it shows, in words, for whoever does not see it. */
  readonly alt: string;
  readonly spec: TopLevelSpec;
}

/** Width of a character, in font sizes: a little over the mean of sans-serif digits and letters. */
const CHARACTER_WIDTH = 0.56;

declare module "vega" {
  /** Not in Vega's own types. Lines of a text that has several come one by one, or together. */
  export const textMetrics: {
    width: (item: { readonly fontSize?: number }, text: string | number | readonly string[] | undefined) => number;
  };
}

/** The same bytes for the same chart, on every machine. Vega is loaded when it is first asked for, which takes some 0.2 s. */
export async function chartSvg({ name, spec, alt }: Chart): Promise<string> {
  const [vega, { compile }] = await Promise.all([import("vega"), import("vega-lite")]);
  // Without a canvas Vega estimates, and far too wide; with one that happens to be installed it would measure.
  vega.textMetrics.width = ({ fontSize = 11 }, text) => {
    const longest = [text].flat().map((line) => `${line ?? ""}`.length);
    return Math.round(CHARACTER_WIDTH * fontSize * Math.max(0, ...longest));
  };
  const view = new vega.View(vega.parse(compile(spec, { config: THEME }).spec), { renderer: "none" });
  try {
    return themedSvg(withOwnIds(await view.toSVG(), name), alt);
  } finally {
    view.finalize();
  }
}

/**
 * Vega counts the ids of gradients and clips through all that it draws. Here they depend on the chart alone, and charts may
 * stand in one page.
 */
function withOwnIds(svg: string, name: string): string {
  const ids = [...new Set([...svg.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id!))];
  return svg.replaceAll(/( id="|url\(#)([^")]+)/g, (whole, before: string, id: string) =>
    ids.includes(id) ? `${before}${name}-${ids.indexOf(id)}` : whole,
  );
}
