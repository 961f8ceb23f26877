/** What is shown of the example's routing; token texts are as hostile as a model can make them. */
import { LoadTally } from "../../metrics/expert-load.ts";
import type { ExpertLoad } from "../../metrics/expert-load.ts";
import { MarginTally } from "../../metrics/margin-histogram.ts";
import type { MarginHistogram } from "../../metrics/margin-histogram.ts";
import type { ReportedPicture, ReportedToken } from "../../reports/reported-picture.ts";

const LAYERS = [1, 2, 3, 4, 5];
const EXPERTS = 16;

/** Some hundred tokens for each layer, more for some experts than for others. */
function load(moved: number): ExpertLoad {
  const tally = new LoadTally({ layers: LAYERS, nExpertsTot: EXPERTS });
  for (const index of LAYERS.keys()) {
    const ids = Array.from(
      { length: 400 },
      (_, i) => (Math.floor(EXPERTS * ((i * 0.618) % 1) ** 1.3) + index * 5) % EXPERTS,
    );
    tally.add(index, ids, index === 3 ? ids.map((id, i) => (i < moved ? 2 : id)) : ids);
  }
  return tally.result() as ExpertLoad;
}

function margins(mismatches: boolean): MarginHistogram {
  const tally = new MarginTally();
  tally.addChoices(Array.from({ length: 2000 }, (_, i) => 10 ** (-7 + (6.5 * i) / 2000)));
  tally.addChoices([0, 0, 4e-6, 0.03, 0.05]);
  if (mismatches) {
    tally.addMismatch(4e-6, "nearTies");
    tally.addMismatch(0.03, "unexplained");
    tally.addMismatch(0.05, "unexplained");
  }
  return tally.result();
}

const tolerances = { nearTieMargin: 1e-5, weightTolerance: 3e-5 };

export const heldPicture: ReportedPicture = { ...tolerances, margins: margins(false), load: load(0), worst: [] };

const token: ReportedToken = {
  doc_id: 17,
  position: 440,
  layer: 4,
  cause: "unexplained",
  swapped: 1,
  weightMoved: 0.41,
  baseline: { ids: [3, 7, 1, 12], weights: [0.9, 0.7, 0.5, 0.4], margin: 0.03 },
  fused: { ids: [3, 7, 1, 2], weights: [0.9, 0.7, 0.5, 0.41], margin: 0.028 },
  token: {
    id: 1042,
    before: [5, 6],
    after: [7],
    text: { before: "so | it is <b>", token: " `rm`\n| x", after: "\u202e**@all** &amp;" },
    part: { name: "answer", index: 11, of: 60 },
  },
};

export const brokenPicture: ReportedPicture = {
  ...tolerances,
  margins: margins(true),
  load: load(2),
  worst: [
    token,
    {
      ...token,
      position: 441,
      weightMoved: null,
      fused: { ids: [3, 7, 1, 2], weights: [0.9, null, 0.5, 0.41], margin: null },
      token: { id: 9, before: [5, 6], after: [7], near: "| about [here](http://x) |" },
    },
    { ...token, doc_id: 17, position: 402, cause: "nearTies", token: { id: 3, before: [], after: [7, 8] } },
    { ...token, doc_id: 18, position: 0, cause: "downstream", token: null },
  ],
};
