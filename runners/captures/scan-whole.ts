/** Is a whole capture one? */
import { setImmediate } from "node:timers/promises";
import type { BrokenCapture } from "../routed-experts/capture-result.ts";
import type { CaptureSource } from "./capture-source.ts";
import { CaptureScan } from "./scan-capture.ts";

/** Entries (a token's expert in a layer) at a time. */
const BLOCK_ENTRIES = 2 ** 20;

/**
 * What makes it no capture; undefined where nothing does.
 *
 * @throws UserError where it cannot be read
 */
export async function scanWholeCapture(source: CaptureSource): Promise<BrokenCapture | undefined> {
  const { layers, nTokens, nExpertsAct } = source;
  const scan = new CaptureScan(source);
  const rows = Math.max(1, Math.floor(BLOCK_ENTRIES / (layers.length * nExpertsAct)));
  for (let from = 0; from < nTokens; from += rows) {
    const to = Math.min(from + rows, nTokens);
    for (let index = 0; index < layers.length; index++) {
      const ids = source.ids(index, from, to);
      scan.add(index, scan.scan(ids));
      scan.addDigest(index, ids);
      const weights = source.weightsOf(index, from, to);
      if (weights !== undefined) scan.addWeights(index, weights);
      const margins = scan.wantsMargins(index) ? source.marginsOf(index, from, to) : undefined;
      if (margins !== undefined) scan.addMargins(index, margins);
    }
    scan.endBlock(to - from, source.tokens(from, to).inputIds);
    await setImmediate();
  }
  return scan.result();
}
