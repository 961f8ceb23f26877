/** Faults on level 2: wrong experts or weights for the same logits. Routing data made of them are sound in themselves. */
import { bf16ToNumber, numberToBf16 } from "../../engine/half-floats.ts";
import { scoreRow } from "../../engine/routing/scores.ts";
import { selectExperts, type Selection, type SelectOptions } from "../../engine/routing/select-experts.ts";
import type { SelectionFault } from "./fault.ts";
import type { SelectionCase } from "./selection-cases.ts";

export const SELECTION_FAULTS: readonly SelectionFault[] = [
  { name: "correction bias dropped", select: (of) => choose(of, { correctionBias: undefined }) },
  { name: "bias added into the weights", seen: "llama.cpp #18071", select: weightsWithBias },
  { name: "weights not renormalised", select: (of) => choose(of, { renormalize: false }) },
  { name: "scaling factor applied twice", select: (of) => choose(of, { scale: of.options.scale ** 2 }) },
  { name: "scaling factor not applied", select: (of) => choose(of, { scale: 1 }) },
  { name: "softmax in place of sigmoid", select: softmaxForSigmoid },
  { name: "one expert fewer than K", select: oneExpertFewer },
  { name: "weight of the last expert lost", seen: "ATOM #1076", select: loseLastWeight },
  { name: "weight of a dropped expert kept", select: keepDroppedWeight },
  { name: "weights of two experts of a row swapped", select: swapWeights },
  { name: "ids sorted, weights not along with them", select: sortIdsAlone },
  { name: "groups ignored", select: (of) => choose(of, { nGroup: 1, topkGroup: 1 }) },
  { name: "one group too many kept", select: oneGroupMore },
  { name: "only the first 256 experts looked at", select: firstExpertsOnly },
  { name: "each token routed by the token before it", select: shiftTokens },
  { name: "logits rounded to bfloat16 before top-k", seen: "SGLang #35916", select: roundLogits },
  { name: "softmax rounded to bfloat16 before top-k", seen: "AstrAI #57", select: roundScores },
  { name: "negative logits taken for 0", seen: "FlashInfer #2822, vLLM #38859", select: clampLogits },
  { name: "0/0 in renormalising rows of zeros", seen: "SGLang #30989", select: divideByZero },
  { name: "a NaN in one row", select: nanInOneRow },
  {
    name: "id out of range",
    seen: "SGLang #38963: a fused shared expert's id",
    select: (of) => lastId(of, of.options.nExpertsTot),
  },
  { name: "routed expert lost to a duplicate", seen: "SGLang #36515", select: duplicateFirst },
  {
    name: "all ids 0",
    seen: "vLLM #44116: nothing was captured",
    select: (of) => ({ ...copy(of.sound), topkIds: of.sound.topkIds.map(() => 0) }),
  },
  {
    name: "scores with their bias rounded to bfloat16 before top-k",
    note: "weights from the exact ones",
    select: (of) => chooseBy(choiceScoresOf(of).map(toBf16), of),
  },
  {
    name: "router margins recorded as 0",
    note: "which would excuse any swap",
    select: ({ sound }) => ({ ...copy(sound), margins: new Float32Array(sound.margins?.length ?? 0) }),
  },
  {
    name: "ties broken to the other side, same engine",
    sameEngine: true,
    select: (of) => choose(of, { ties: "highest" }),
  },
];

export function choose({ logits, options }: SelectionCase, change: Partial<SelectOptions>): Selection {
  return selectExperts(logits, { ...options, ...change });
}

export function copy({ topkIds, topkWeights, margins }: Selection): Selection & { readonly margins: Float32Array } {
  return {
    topkIds: topkIds.slice(),
    topkWeights: topkWeights.slice(),
    margins: margins?.slice() ?? new Float32Array(0),
  };
}

/** The experts of the largest keys [N, E], as the router would choose by them, weighed by the true scores. */
function chooseBy(keys: Float32Array, of: SelectionCase): Selection {
  const { nTokens, nExpertsTot, nExpertsAct } = of.options;
  const plain = { nTokens, nExpertsTot, nExpertsAct, renormalize: false, scale: 1, margins: true };
  const chosen = selectExperts(keys, { ...plain, scoring: "softmax", softmaxAfterTopk: true });
  return weigh(of, chosen, (score) => score);
}

/** @param change - what a slot's score is taken for */
function weigh(of: SelectionCase, chosen: Selection, change: (score: number, expert: number) => number): Selection {
  const { nTokens, nExpertsAct, renormalize, scale } = of.options;
  const out = copy(chosen);
  const scores = scoresOf(of);
  for (let token = 0; token < nTokens; token++) {
    const [start, end] = [token * nExpertsAct, (token + 1) * nExpertsAct];
    let sum = 0;
    for (let at = start; at < end; at++) {
      const expert = out.topkIds[at]!;
      out.topkWeights[at] = change(scores[token * of.options.nExpertsTot + expert]!, expert);
      sum += out.topkWeights[at]!;
    }
    const divisor = renormalize ? sum + 1e-20 : 1;
    for (let at = start; at < end; at++) out.topkWeights[at] = (out.topkWeights[at]! / divisor) * scale;
  }
  return out;
}

/** [N, E] before the bias. */
function scoresOf({ logits, options }: SelectionCase): Float32Array {
  const scores = new Float32Array(logits.length);
  for (let start = 0; start < logits.length; start += options.nExpertsTot) {
    scoreRow(logits, start, options.scoring, scores.subarray(start, start + options.nExpertsTot));
  }
  return scores;
}

/** [N, E] with the bias. */
function choiceScoresOf(of: SelectionCase): Float32Array {
  const { correctionBias, nExpertsTot } = of.options;
  return scoresOf(of).map((score, at) => score + (correctionBias?.[at % nExpertsTot] ?? 0));
}

function weightsWithBias(of: SelectionCase): Selection {
  const { correctionBias } = of.options;
  return weigh(of, of.sound, (score, expert) => score + (correctionBias?.[expert] ?? 0));
}

function softmaxForSigmoid(of: SelectionCase): Selection {
  return of.options.scoring === "sigmoid" ? choose(of, { scoring: "softmax" }) : of.sound;
}

function oneExpertFewer(of: SelectionCase): Selection {
  const k = of.options.nExpertsAct;
  const fewer = choose(of, { nExpertsAct: k - 1 });
  const out = copy(of.sound);
  out.topkWeights.forEach((_, at) => {
    const [token, slot] = [Math.floor(at / k), at % k];
    out.topkWeights[at] = slot === k - 1 ? 0 : fewer.topkWeights[token * (k - 1) + slot]!;
  });
  return out;
}

function loseLastWeight({ sound, options }: SelectionCase): Selection {
  const out = copy(sound);
  out.topkWeights.forEach((_, at) => {
    if ((at + 1) % options.nExpertsAct === 0) out.topkWeights[at] = 0;
  });
  return out;
}

/** The best expert that was left out has pushed nobody out, but left its weight at the last one's. */
function keepDroppedWeight(of: SelectionCase): Selection {
  const k = of.options.nExpertsAct;
  const more = choose(of, { nExpertsAct: k + 1, renormalize: false, scale: 1 });
  let slot = 0;
  return weigh(of, of.sound, (score) => {
    const token = Math.floor(slot / k);
    const isLast = slot++ % k === k - 1;
    return isLast ? more.topkWeights[token * (k + 1) + k]! : score;
  });
}

function swapWeights({ sound, options }: SelectionCase): Selection {
  const out = copy(sound);
  const last = options.nExpertsAct - 1;
  [out.topkWeights[0], out.topkWeights[last]] = [out.topkWeights[last]!, out.topkWeights[0]!];
  return out;
}

function sortIdsAlone({ sound, options }: SelectionCase): Selection {
  const out = copy(sound);
  const k = options.nExpertsAct;
  for (let start = 0; start < out.topkIds.length; start += k) out.topkIds.subarray(start, start + k).sort();
  return out;
}

function oneGroupMore(of: SelectionCase): Selection {
  const { nGroup = 1, topkGroup = nGroup } = of.options;
  return choose(of, { topkGroup: Math.min(nGroup, topkGroup + 1) });
}

function firstExpertsOnly(of: SelectionCase): Selection {
  const { nExpertsTot } = of.options;
  const logits = of.logits.map((logit, at) => (at % nExpertsTot < 256 ? logit : -Infinity));
  return selectExperts(logits, of.options);
}

function shiftTokens(of: SelectionCase): Selection {
  const { nExpertsTot } = of.options;
  const shifted = of.logits.slice();
  shifted.copyWithin(nExpertsTot, 0, shifted.length - nExpertsTot);
  return selectExperts(shifted, of.options);
}

function roundLogits({ logits, options }: SelectionCase): Selection {
  return selectExperts(logits.map(toBf16), options);
}

function roundScores(of: SelectionCase): Selection {
  return of.options.scoring === "softmax" ? chooseBy(scoresOf(of).map(toBf16), of) : of.sound;
}

function clampLogits(of: SelectionCase): Selection {
  return of.options.correctionBias === undefined
    ? chooseBy(
        of.logits.map((logit) => Math.max(logit, 0)),
        of,
      )
    : of.sound;
}

function divideByZero({ sound, options }: SelectionCase): Selection {
  const out = copy(sound);
  const k = options.nExpertsAct;
  for (let start = 0; start < out.topkWeights.length; start += k) {
    const row = out.topkWeights.subarray(start, start + k);
    if (row.every((weight) => weight === 0)) row.fill(NaN);
  }
  return out;
}

function nanInOneRow({ logits, options }: SelectionCase): Selection {
  const spoiled = logits.slice();
  spoiled[5 * options.nExpertsTot] = NaN;
  return selectExperts(spoiled, options);
}

function lastId({ sound, options }: SelectionCase, id: number): Selection {
  const out = copy(sound);
  out.topkIds[options.nExpertsAct - 1] = id;
  return out;
}

function duplicateFirst(of: SelectionCase): Selection {
  return lastId(of, of.sound.topkIds[0]!);
}

function toBf16(value: number): number {
  return bf16ToNumber(numberToBf16(value));
}
