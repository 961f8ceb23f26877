/** The inputs of level 2: router logits, with what the sound router makes of them. */
import seedrandom from "seedrandom";
import { selectExperts, type Selection, type SelectOptions } from "../../engine/routing/select-experts.ts";

export interface SelectionCase {
  readonly name: string;
  /** [N, E] */
  readonly logits: Float32Array;
  readonly options: SelectOptions;
  readonly sound: Selection;
}

/** A model's router, and how its logits are. */
interface Recipe {
  readonly name: string;
  readonly options: Omit<SelectOptions, "nTokens" | "correctionBias">;
  /** Default `N_TOKENS`. */
  readonly nTokens?: number;
  readonly biased?: boolean;
  readonly logits?: "even" | "tied at the edge" | "very negative";
}

const N_TOKENS = 64;

/** So many that rounding scores to bfloat16, which changes one choice in thirty or so, is never missed. */
const N_TOKENS_ROUNDED = 512;

/** The routers of models that fused kernels serve, each at its own sizes. */
const RECIPES: readonly Recipe[] = [
  {
    name: "sigmoid, bias, renormalised, scale 2.5 (E 16, K 4)",
    options: { nExpertsTot: 16, nExpertsAct: 4, scoring: "sigmoid", renormalize: true, scale: 2.5 },
    biased: true,
  },
  {
    name: "softmax, renormalised (E 128, K 8)",
    options: { nExpertsTot: 128, nExpertsAct: 8, scoring: "softmax", renormalize: true, scale: 1 },
    nTokens: N_TOKENS_ROUNDED,
  },
  {
    name: "sigmoid, bias, 4 of 8 groups, scale 2.5 (E 256, K 8)",
    options: {
      nExpertsTot: 256,
      nExpertsAct: 8,
      scoring: "sigmoid",
      nGroup: 8,
      topkGroup: 4,
      renormalize: true,
      scale: 2.5,
    },
    biased: true,
  },
  {
    name: "sqrt-softplus, bias, scale 1.5 (E 384, K 6)",
    options: { nExpertsTot: 384, nExpertsAct: 6, scoring: "sqrtsoftplus", renormalize: true, scale: 1.5 },
    biased: true,
  },
  {
    name: "softmax, two experts tied for the last place (E 64, K 8)",
    options: { nExpertsTot: 64, nExpertsAct: 8, scoring: "softmax", renormalize: true, scale: 1 },
    logits: "tied at the edge",
  },
  {
    name: "sigmoid, all logits negative, some beyond float32 (E 64, K 6)",
    options: { nExpertsTot: 64, nExpertsAct: 6, scoring: "sigmoid", renormalize: true, scale: 1 },
    logits: "very negative",
  },
];

/** Draws the cases; the same seed gives the same ones. */
export function selectionCases(seed: number): SelectionCase[] {
  return RECIPES.map((recipe) => {
    const uniform = seedrandom.tychei(`selection ${seed} ${recipe.name}`);
    const { nExpertsTot } = recipe.options;
    const correctionBias = Float32Array.from({ length: nExpertsTot }, () => 0.3 * uniform());
    const options: SelectOptions = {
      ...recipe.options,
      nTokens: recipe.nTokens ?? N_TOKENS,
      margins: true,
      ...(recipe.biased === true && { correctionBias }),
    };
    const logits = drawLogits(recipe, options, uniform);
    return { name: recipe.name, logits, options, sound: selectExperts(logits, options) };
  });
}

function drawLogits(recipe: Recipe, options: SelectOptions, uniform: () => number): Float32Array {
  const { nTokens, nExpertsTot, nExpertsAct } = options;
  const logits = Float32Array.from({ length: nTokens * nExpertsTot }, () => 4 * (uniform() + uniform()) - 4);
  if (recipe.logits === "very negative") {
    // The sigmoid of -200 is 0 in float32, and the sum of a row of these as well.
    return logits.map((logit, at) => logit - (Math.floor(at / nExpertsTot) % 4 === 3 ? 200 : 8));
  }
  if (recipe.logits === "tied at the edge") {
    const { topkIds } = selectExperts(logits, { ...options, nExpertsAct: nExpertsAct + 1 });
    for (let token = 0; token < nTokens; token++) {
      const edge = token * (nExpertsAct + 1) + nExpertsAct;
      const [last, next] = [topkIds[edge - 1]!, topkIds[edge]!];
      logits[token * nExpertsTot + next] = logits[token * nExpertsTot + last]!;
    }
  }
  return logits;
}
