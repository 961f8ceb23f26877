/** Decides, while a capture is read, whether it is one: see runners/routed-experts/check-capture.ts. */
import { createHash } from "node:crypto";
import {
  allZero,
  badWeights,
  brokenLayers,
  constantLayer,
  isWeightSum,
  MIN_DISTINCT_TOKENS,
  sameLayers,
} from "../routed-experts/check-capture.ts";
import { broken } from "../routed-experts/capture-result.ts";
import type { BrokenCapture } from "../routed-experts/capture-result.ts";
import { mergeScans, RowScanner } from "../routed-experts/scan-layer.ts";
import type { RowScan } from "../routed-experts/scan-layer.ts";
import type { IdArray } from "../routed-experts/sound-rows.ts";
import type { CaptureFacts } from "./capture-source.ts";

export class CaptureScan {
  readonly #facts: CaptureFacts;
  readonly #scanner: RowScanner;
  readonly #scans: (RowScan | undefined)[];
  readonly #distinct: Set<number> = new Set();
  #tokensKnown = true;
  #rows = 0;
  #badWeights: BrokenCapture | undefined;
  /** Layer indices that have margins, none of them other than 0 so far. */
  readonly #zeroMargins: Set<number> = new Set();
  /** Layer indices that agree so far, grouped; single layers are not kept. */
  #groups: readonly (readonly number[])[];
  readonly #digests: Map<number, string> = new Map();

  constructor(facts: CaptureFacts) {
    this.#facts = facts;
    this.#scanner = new RowScanner(facts.nExpertsAct, facts.nExpertsTot);
    this.#scans = facts.layers.map(() => undefined);
    this.#groups = [facts.layers.map((_, index) => index)];
  }

  /** Scans a layer's rows of a block; what comes of it may be given to `add` of a capture that has the same bits. */
  scan(ids: IdArray): RowScan {
    return this.#scanner.scan(ids);
  }

  /** The next rows of a layer. */
  add(index: number, scan: RowScan): void {
    const before = this.#scans[index];
    this.#scans[index] = before === undefined ? scan : mergeScans(before, scan);
  }

  /** All of a layer's ids in this block. */
  addDigest(index: number, ids: IdArray): void {
    if (!this.#groups.some((group) => group.includes(index))) return;
    const bytes = new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength);
    this.#digests.set(index, createHash("sha1").update(bytes).digest("hex"));
  }

  addWeights(index: number, weights: Float32Array): void {
    if (this.#badWeights !== undefined) return;
    const { nExpertsAct: k, layers } = this.#facts;
    for (let at = 0; at < weights.length;) {
      let sum = 0;
      for (const end = at + k; at < end; at++) sum += Math.abs(weights[at] as number);
      if (isWeightSum(sum)) continue;
      this.#badWeights = badWeights(layers[index] as number, this.#rows + at / k - 1, sum);
      return;
    }
  }

  /** Whether it is still open if a layer's margins were recorded at all. */
  wantsMargins(index: number): boolean {
    return this.#rows === 0 || this.#zeroMargins.has(index);
  }

  addMargins(index: number, margins: Float32Array): void {
    if (!this.wantsMargins(index)) return;
    if (margins.some((margin) => margin !== 0)) this.#zeroMargins.delete(index);
    else this.#zeroMargins.add(index);
  }

  /** @param inputIds - the block's tokens, where they are known */
  endBlock(rows: number, inputIds: Int32Array | undefined): void {
    this.#rows += rows;
    if (inputIds === undefined) this.#tokensKnown = false;
    for (const id of inputIds ?? []) {
      if (this.#distinct.size >= MIN_DISTINCT_TOKENS) break;
      this.#distinct.add(id);
    }
    this.#groups = this.#groups.flatMap((group) => this.#split(group));
  }

  /** What makes the whole of it no capture. */
  result(): BrokenCapture | undefined {
    const { layers, nExpertsAct: k, nExpertsTot } = this.#facts;
    const scanned = layers.flatMap((layer, index) => {
      const scan = this.#scans[index];
      return scan === undefined ? [] : [{ layer, scan }];
    });
    if (nExpertsTot > 1 && scanned.every(({ scan }) => scan.zeroRows === this.#rows)) return allZero();
    const fault = brokenLayers(scanned, { rows: this.#rows, k }, { nExpertsTot });
    if (fault !== undefined) return fault;
    const distinct = this.#tokensKnown ? this.#distinct.size : this.#rows;
    // Where every token uses every expert, all rows may well be the same.
    if (k < nExpertsTot && distinct >= MIN_DISTINCT_TOKENS) {
      const words = this.#tokensKnown ? `at least ${MIN_DISTINCT_TOKENS}` : String(this.#rows);
      const constant = constantLayer(scanned, words);
      if (constant !== undefined) return constant;
      const [same] = this.#groups;
      if (same !== undefined) return sameLayers(layers[same[0]!]!, layers[same[1]!]!, this.#rows);
      const [zero] = this.#zeroMargins;
      // It would make a near-tie of every swap.
      if (zero !== undefined) {
        const reason = `every router margin of layer ${layers[zero]} is 0: none was recorded there`;
        return broken("bad-margins", reason);
      }
    }
    return this.#badWeights;
  }

  #split(group: readonly number[]): (readonly number[])[] {
    const parts = new Map<string | undefined, number[]>();
    for (const index of group) {
      const digest = this.#digests.get(index);
      parts.set(digest, [...(parts.get(digest) ?? []), index]);
    }
    return [...parts.values()].filter(({ length }) => length > 1);
  }
}
