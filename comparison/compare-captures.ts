/**
 * Two captures, token by token and layer by layer, in the memory of a few blocks: read, checked for being captures of the
 * same tokens of one model, compared, judged.
 */
import { setImmediate } from "node:timers/promises";
import { UserError } from "../errors.ts";
import { NEAR_TIE_MARGIN } from "../metrics/routing-parity.ts";
import { RoutingComparison } from "../metrics/routing-comparison.ts";
import { PictureTally } from "../metrics/routing-picture.ts";
import type { LayerRows } from "../metrics/layer-tally.ts";
import type { CloseScores } from "../metrics/near-tie.ts";
import { byteComparison } from "../metrics/same-bytes.ts";
import type { CaptureComparison, CaptureSide } from "../reports/capture-comparison.ts";
import { checkSameShape, checkSameTokens } from "../runners/captures/comparable-captures.ts";
import type { CapturedTokenInfo, CaptureSource, IdArray, WeightDtype } from "../runners/captures/capture-source.ts";
import { CaptureScan } from "../runners/captures/scan-capture.ts";
import { TokenRuns } from "../runners/captures/token-runs.ts";
import type { TokenDecoder } from "../runners/token-decoder.ts";
import { tokensInContext } from "./tokens-in-context.ts";
import { judgeSelection, MAX_WEIGHT_DIFFERENCE } from "./verdict.ts";

export interface CompareCapturesOptions {
  /** Largest difference of a weight of one expert on one token. Default: by the coarser dtype of the two. */
  readonly weightTolerance?: number | undefined;
  /** Largest router margin of a near-tie. Default: by the same dtype. */
  readonly nearTieMargin?: number | undefined;
  /** Look at margins, load and the worst tokens too: every entry and every margin is then read. Default: false. */
  readonly picture?: boolean;
  /** Text of the tokens. Default: they are shown by id. */
  readonly decoder?: TokenDecoder | undefined;
  /** Called after each block of tokens. */
  readonly progress?: (tokensDone: number) => void;
}

/**
 * What rounding does to weights and scores of the order of 1. In float32, what two orders of summing do, measured; in the
 * narrow types two spacings of their numbers, as the engine may round before and after.
 */
const WITHIN_ROUNDING: Readonly<Record<WeightDtype, { readonly weight: number; readonly margin: number }>> = {
  F64: { weight: MAX_WEIGHT_DIFFERENCE, margin: NEAR_TIE_MARGIN },
  F32: { weight: MAX_WEIGHT_DIFFERENCE, margin: NEAR_TIE_MARGIN },
  F16: { weight: 2 ** -9, margin: 2 ** -9 },
  BF16: { weight: 2 ** -6, margin: 2 ** -6 },
};
const BY_COARSENESS = ["F64", "F32", "F16", "BF16"] as const;

/**
 * Entries (a token's expert in a layer) of one block in one capture. It bounds memory at some dozen bytes for each, and
 * keeps one layer of it in the processor's cache.
 */
const BLOCK_ENTRIES = 2 ** 21;
/** Entries of one layer of a block. */
const LAYER_ENTRIES = 2 ** 18;

/** @throws UserError where they cannot be compared, or one of them is no capture */
export async function compareCaptures(
  a: CaptureSource,
  b: CaptureSource,
  options: CompareCapturesOptions = {},
): Promise<CaptureComparison> {
  checkSameShape(a, b);
  const { layers, nExpertsAct: k, nExpertsTot, nTokens } = a;
  const rounding = WITHIN_ROUNDING[coarser(a.weights, b.weights)];
  const { weightTolerance = rounding.weight, nearTieMargin = rounding.margin } = options;
  const marginsKnown = a.margins && b.margins;
  const shape = { layers, k, nearTieMargin, weightTolerance };
  const picture = options.picture === true ? new PictureTally({ ...shape, nExpertsTot }) : undefined;
  const comparison = new RoutingComparison({ ...shape, marginsKnown, observer: picture });
  const [one, two] = [a, b].map((source) => ({ source, scan: new CaptureScan(source) })) as [Side, Side];
  const docs = { a: new TokenRuns(a), b: new TokenRuns(b) };
  const known = { inputIds: true, docs: true };
  const rows = Math.max(1, Math.floor(Math.min(BLOCK_ENTRIES / layers.length, LAYER_ENTRIES) / k));
  for (let from = 0; from < nTokens; from += rows) {
    const to = Math.min(from + rows, nTokens);
    const tokens = { a: a.tokens(from, to), b: b.tokens(from, to) };
    checkSameTokens(a, b, { first: from, one: tokens.a, two: tokens.b });
    known.inputIds &&= tokens.a.inputIds !== undefined && tokens.b.inputIds !== undefined;
    known.docs &&= tokens.a.docIndex !== undefined || tokens.b.docIndex !== undefined;
    const side = tokens.a.docIndex === undefined ? "b" : "a";
    comparison.beginBlock(docs[side].cut(from, to - from, tokens[side]));
    for (let index = 0; index < layers.length; index++) {
      compareLayer(comparison, { one, two, index, from, to });
    }
    comparison.endBlock();
    one.scan.endBlock(to - from, tokens.a.inputIds);
    two.scan.endBlock(to - from, tokens.b.inputIds);
    options.progress?.(to);
    // Whatever else the process does (timers, signals) has its turn.
    await setImmediate();
  }
  for (const { source, scan } of [one, two]) {
    const broken = scan.result();
    if (broken !== undefined) throw new UserError(`${source.path}: ${broken.reason}`);
  }
  const [routing, detail] = [comparison.parity(), comparison.detail()];
  const settings = { weightTolerance, nearTieMargin };
  return {
    schema: 1,
    captures: [sideOf(a), sideOf(b)],
    settings,
    known: {
      ...known,
      weights: a.weights !== undefined && b.weights !== undefined,
      margins: marginsKnown,
      scores: marginsKnown && (a.rule ?? b.rule) !== undefined,
    },
    routing,
    detail,
    ...(picture !== undefined && { picture: reported(picture, a, b, options.decoder) }),
    verdict: judgeSelection(routing, detail, settings),
  };
}

function reported(
  tally: PictureTally,
  a: CaptureSource,
  b: CaptureSource,
  decoder: TokenDecoder | undefined,
): NonNullable<CaptureComparison["picture"]> {
  const { worst, ...picture } = tally.result();
  // Either may say which tokens and docs they are.
  const says = ({ inputIds, docIndex }: CapturedTokenInfo): boolean => inputIds !== undefined && docIndex !== undefined;
  const source = says(a.tokens(0, 1)) || !says(b.tokens(0, 1)) ? a : b;
  return { ...picture, worst: tokensInContext(worst, source, { decoder }) };
}

interface Side {
  readonly source: CaptureSource;
  readonly scan: CaptureScan;
}

interface BlockLayer {
  readonly one: Side;
  readonly two: Side;
  readonly index: number;
  readonly from: number;
  readonly to: number;
}

function compareLayer(comparison: RoutingComparison, { one, two, index, from, to }: BlockLayer): void {
  const [a, b] = [one, two].map(({ source }) => ({
    ids: source.ids(index, from, to),
    weights: source.weightsOf(index, from, to),
  })) as [Read, Read];
  scanBoth({ one, two, index }, a.ids, b.ids);
  const sameWeights =
    a.weights !== undefined &&
    b.weights !== undefined &&
    byteComparison(a.weights, b.weights).same(0, a.weights.length);
  if (a.weights !== undefined) one.scan.addWeights(index, a.weights);
  // Where the first has a fault, there is nothing to find in the second that matters.
  if (b.weights !== undefined && !sameWeights) two.scan.addWeights(index, b.weights);
  const margins = [one, two].map(({ source, scan: own }) => {
    const read = source.marginsOf(index, from, to);
    if (read !== undefined) own.addMargins(index, read);
    return read;
  });
  comparison.compareLayer(
    index,
    { ...a, margins: margins[0], close: closeOf(one.source, index, from) },
    { ...b, margins: margins[1], close: closeOf(two.source, index, from) },
  );
}

/** By rows of a block that begins at token `from`. */
function closeOf({ rule, closeScoresOf }: CaptureSource, index: number, from: number): CloseScores | undefined {
  if (rule === undefined || closeScoresOf === undefined) return undefined;
  return { rule, of: (row) => closeScoresOf(index, from + row) };
}

/** Rows that are scanned together: few, so that one that differs has only these scanned twice. */
const SCAN_ROWS = 2048;

function scanBoth({ one, two, index }: Pick<BlockLayer, "one" | "two" | "index">, a: IdArray, b: IdArray): void {
  const [bytes, step] = [byteComparison(a, b), SCAN_ROWS * one.source.nExpertsAct];
  for (let from = 0; from < a.length; from += step) {
    const to = Math.min(from + step, a.length);
    const scan = one.scan.scan(a.subarray(from, to));
    one.scan.add(index, scan);
    // What is the same bits need not be looked at twice.
    const same = bytes.same(from, to);
    two.scan.add(index, same ? scan : two.scan.scan(b.subarray(from, to)));
  }
  one.scan.addDigest(index, a);
  two.scan.addDigest(index, b);
}

interface Read extends LayerRows {
  readonly ids: IdArray;
  readonly weights: Float32Array | undefined;
}

function coarser(a: WeightDtype | undefined, b: WeightDtype | undefined): WeightDtype {
  return BY_COARSENESS.findLast((dtype) => dtype === a || dtype === b) ?? "F32";
}

function sideOf({ path, format, weights, margins, notes, ...facts }: CaptureSource): CaptureSide {
  const { layers, nExpertsAct, nExpertsTot, nTokens } = facts;
  return { path, format, layers, nExpertsAct, nExpertsTot, nTokens, weights: weights ?? null, margins, notes };
}
