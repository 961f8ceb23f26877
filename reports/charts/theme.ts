/** The look of all charts: legible on light and on dark ground, and to all who see colours differently. */
import type { Config } from "vega-lite";

type ColourName = "ground" | "text" | "faint" | "grid" | "bar" | "blue" | "grey" | "vermilion";

/**
 * Colours on light ground, and what each becomes on dark ground. They are told apart in the finished SVG by their text, so
 * no two may be the same. Blue, vermilion and grey stay apart in all kinds of colour blindness; marks differ in shape too.
 */
const COLOURS: Readonly<Record<ColourName, readonly [light: string, dark: string]>> = {
  ground: ["#ffffff", "#0d1117"],
  text: ["#1f2328", "#e6edf3"],
  faint: ["#59636e", "#9198a1"],
  grid: ["#d8dee4", "#2a313c"],
  bar: ["#b6c2cf", "#4d5b6b"],
  blue: ["#0072b2", "#58a6ff"],
  grey: ["#4b5560", "#c4ccd4"],
  vermilion: ["#d55e00", "#ff9352"],
};

export function colour(name: ColourName): string {
  return COLOURS[name][0];
}

/** Of every chart's root element, so that its style reaches no other part of a page that it stands in. */
const CHART_CLASS = "fusecheck-chart";

/** An SVG as Vega writes it, with a description for those who do not see it, and with colours that follow the reader's scheme. */
export function themedSvg(svg: string, alt: string): string {
  const dark = Object.values(COLOURS).map(
    ([light, onDark]) =>
      `.${CHART_CLASS} [fill="${light}"]{fill:${onDark}}.${CHART_CLASS} [stroke="${light}"]{stroke:${onDark}}`,
  );
  // Cells that touch must not let the ground shine through between them.
  const crisp = `.${CHART_CLASS} .mark-rect path:not([stroke]){shape-rendering:crispEdges}`;
  const style = `<style>${crisp}@media (prefers-color-scheme:dark){${dark.join("")}}</style>`;
  return `${svg.replace(
    /<svg ([^>]*)class="marks"([^>]*)>/,
    (_, before: string, after: string) =>
      `<svg ${before}class="${CHART_CLASS}" role="img" aria-label="${attribute(alt)}"${after}>${style}`,
  )}\n`;
}

function attribute(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

const FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif";

/** Vega-Lite's `config`. */
export const THEME: Config = {
  background: colour("ground"),
  font: FONT,
  padding: 12,
  // Neither is of use in a picture, and they are half of its bytes.
  aria: false,
  title: {
    anchor: "start",
    frame: "bounds",
    fontSize: 15,
    fontWeight: 600,
    color: colour("text"),
    subtitleColor: colour("faint"),
    subtitleFontSize: 12,
    subtitlePadding: 4,
    offset: 12,
  },
  axis: {
    labelColor: colour("text"),
    titleColor: colour("text"),
    titleFontWeight: "normal",
    titleFontSize: 12,
    labelFontSize: 11,
    domainColor: colour("faint"),
    tickColor: colour("faint"),
    gridColor: colour("grid"),
  },
  legend: {
    labelColor: colour("text"),
    titleColor: colour("text"),
    titleFontWeight: "normal",
    titleFontSize: 12,
    labelFontSize: 11,
    symbolSize: 90,
    titleLimit: 0,
    labelLimit: 0,
  },
  view: { stroke: null },
};
