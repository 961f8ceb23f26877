/** What of two variants' captures can be compared: that which both ran after the same tokens. */
import { firstTokens } from "./layer-major.ts";
import type { CapturedSequence, SequenceLogprobs, SequenceTokens } from "./captured-sequence.ts";
import type { CaptureResult, RoutedExperts } from "./capture-result.ts";

export interface PairedCaptures {
  readonly tokens: SharedTokens | NotPaired;
  readonly routing: PairedRouting | NotPaired;
  readonly logprobs: PairedLogprobs | NotPaired;
}

/** `broken`: a capture was given but is none, which somebody has to see to; `not judged`: there is nothing to compare. */
export interface NotPaired {
  readonly kind: "not judged" | "broken";
  readonly reason: string;
}

export interface SharedTokens {
  readonly kind: "identical" | "shared start";
  /** Prompt and completion, as far as both are the same. */
  readonly ids: readonly number[];
  readonly promptTokens: number;
}

/** As `compareRouting` takes it, but for the doc's id. */
export interface PairedRouting {
  readonly kind: "paired";
  readonly layers: readonly number[];
  readonly nTokens: number;
  readonly k: number;
  readonly nExpertsTot: number;
  readonly inputIds: readonly number[];
  readonly baseline: IdsAndWeights;
  readonly fused: IdsAndWeights;
}

export interface IdsAndWeights {
  readonly ids: Uint16Array;
  readonly weights: Float32Array | undefined;
}

export interface PairedLogprobs {
  readonly kind: "paired";
  readonly baseline: Float32Array;
  readonly fused: Float32Array;
}

/** A row depends on its token and on all before it: rows after the first token that differs are not compared. */
export function pairCaptures(baseline: CapturedSequence, fused: CapturedSequence): PairedCaptures {
  const tokens = shareTokens(baseline.tokens, fused.tokens);
  if (!("ids" in tokens)) {
    // A broken capture is one, whatever it could be compared with.
    const routing = brokenOf(baseline.routing, fused.routing) ?? tokens;
    return { tokens, routing, logprobs: tokens };
  }
  return {
    tokens,
    routing: pairRouting(baseline.routing, fused.routing, tokens),
    logprobs: pairLogprobs(baseline.logprobs, fused.logprobs, tokens),
  };
}

function shareTokens(baseline: SequenceTokens, fused: SequenceTokens): SharedTokens | NotPaired {
  if (baseline.kind === "unknown") return notJudged(`baseline: ${baseline.reason}`);
  if (fused.kind === "unknown") return notJudged(`fused: ${fused.reason}`);
  const promptTokens = baseline.prompt.length;
  if (promptTokens !== fused.prompt.length || sharedStart(baseline.prompt, fused.prompt) !== promptTokens)
    return notJudged("the variants make different tokens of the same prompt");
  const shared = sharedStart(baseline.completion, fused.completion);
  const whole = shared === baseline.completion.length && shared === fused.completion.length;
  const ids = [...baseline.prompt, ...baseline.completion.slice(0, shared)];
  return { kind: whole ? "identical" : "shared start", ids, promptTokens };
}

function pairRouting(baseline: CaptureResult, fused: CaptureResult, { ids }: SharedTokens): PairedRouting | NotPaired {
  const bad = brokenOf(baseline, fused);
  if (bad !== undefined) return bad;
  if (baseline.kind !== "captured") return notJudged(`baseline: ${baseline.reason}`);
  if (fused.kind !== "captured") return notJudged(`fused: ${fused.reason}`);
  const [a, b] = [baseline.routing, fused.routing];
  const differing = difference(a, b);
  if (differing !== undefined) return { kind: "broken", reason: `the captures are of different models: ${differing}` };
  // A capture ends before its last token, which was not run.
  const nTokens = Math.min(ids.length, a.nTokens, b.nTokens);
  const cut = (routing: RoutedExperts): IdsAndWeights => {
    const { topkIds, topkWeights } = firstTokens(routing, nTokens);
    return { ids: topkIds, weights: topkWeights };
  };
  return {
    kind: "paired",
    layers: a.layers,
    nTokens,
    k: a.nExpertsAct,
    nExpertsTot: a.nExpertsTot,
    inputIds: ids.slice(0, nTokens),
    baseline: cut(a),
    fused: cut(b),
  };
}

function brokenOf(baseline: CaptureResult, fused: CaptureResult): NotPaired | undefined {
  if (baseline.kind === "broken") return { kind: "broken", reason: `baseline: ${baseline.reason}` };
  if (fused.kind === "broken") return { kind: "broken", reason: `fused: ${fused.reason}` };
  return undefined;
}

function pairLogprobs(
  baseline: SequenceLogprobs,
  fused: SequenceLogprobs,
  { ids, promptTokens }: SharedTokens,
): PairedLogprobs | NotPaired {
  if (baseline.kind === "absent") return notJudged(`baseline: ${baseline.reason}`);
  if (fused.kind === "absent") return notJudged(`fused: ${fused.reason}`);
  const count = ids.length - promptTokens;
  return { kind: "paired", baseline: baseline.values.subarray(0, count), fused: fused.values.subarray(0, count) };
}

function difference(a: RoutedExperts, b: RoutedExperts): string | undefined {
  if (a.nExpertsTot !== b.nExpertsTot) return `${a.nExpertsTot} and ${b.nExpertsTot} experts`;
  if (a.nExpertsAct !== b.nExpertsAct) return `${a.nExpertsAct} and ${b.nExpertsAct} experts per token`;
  const [first, second] = [a.layers.join(","), b.layers.join(",")];
  return first === second ? undefined : `MoE layers ${first} and ${second}`;
}

function sharedStart(a: readonly number[], b: readonly number[]): number {
  const shorter = Math.min(a.length, b.length);
  const differing = a.findIndex((id, i) => i >= shorter || id !== b[i]);
  return differing < 0 ? shorter : differing;
}

function notJudged(reason: string): NotPaired {
  return { kind: "not judged", reason };
}
