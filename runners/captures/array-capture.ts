/** Captures in NumPy arrays, [tokens, layers, K]: what vLLM sends, and what anyone can save. */
import { UserError } from "../../errors.ts";
import type { CaptureSource } from "./capture-source.ts";
import type { ModelFacts } from "./model-facts.ts";
import { columnsOf } from "./model-facts.ts";
import type { NpyFile } from "./npy-file.ts";

export interface CaptureArrays {
  readonly ids: NpyFile;
  readonly weights?: NpyFile;
  readonly inputIds?: NpyFile;
  readonly docIndex?: NpyFile;
  readonly position?: NpyFile;
}

/** @throws UserError where the arrays are not those of one capture, or of another model */
export function arrayCapture(
  path: string,
  format: string,
  arrays: CaptureArrays,
  model: ModelFacts,
): Omit<CaptureSource, "close"> {
  const fail = (reason: string): UserError => new UserError(`${path} is no capture: ${reason}; see docs/captures.md`);
  const { ids, weights } = arrays;
  const [nTokens = 0, nColumns = 0, width = 0] = ids.shape;
  if (ids.precision !== undefined) throw fail(`its ids are ${ids.descr}, not integers`);
  if (ids.shape.length !== 3)
    throw fail(`its ids have shape (${ids.shape.join(", ")}), not (tokens, layers, experts per token)`);
  if (ids.shape.includes(0)) throw fail(`its ids have shape (${ids.shape.join(", ")}): there is nothing in it`);
  const packed = isPacked(ids, model);
  const k = packed ? width / 2 : width;
  const { layers, columns, nExpertsTot } = columnsOf(path, model, { nColumns, k });
  if (weights !== undefined && (weights.precision === undefined || weights.shape.join() !== ids.shape.join()))
    throw fail(`its weights are ${weights.descr} of shape (${weights.shape.join(", ")}), not floats of the ids' shape`);
  if (weights !== undefined && packed) throw fail("its ids are packed with weights, and there are weights besides");
  for (const [name, array] of Object.entries(arrays)) {
    if (array === ids || array === weights) continue;
    if (array.precision !== undefined || array.shape.join() !== String(nTokens))
      throw fail(
        `its ${name} is ${array.descr} of shape (${array.shape.join(", ")}), not integers, one for each token`,
      );
  }
  const block = new Block(ids, weights, { nColumns, width, k });
  const part = (array: NpyFile | undefined, from: number, to: number): Int32Array | undefined =>
    array?.integers(from, to);
  return {
    path,
    format: packed ? `${format}, ids packed with weights` : format,
    layers,
    nExpertsAct: k,
    nExpertsTot,
    nTokens,
    weights: packed ? "F32" : weights?.precision,
    margins: false,
    notes: [],
    tokens: (from, to) => {
      const [inputIds, docIndex, position] = [arrays.inputIds, arrays.docIndex, arrays.position].map((array) =>
        part(array, from, to),
      );
      return { ...(inputIds && { inputIds }), ...(docIndex && { docIndex }), ...(position && { position }) };
    },
    ids: (index, from, to) => block.idsOf(columns[index] as number, from, to),
    weightsOf: (index, from, to) => block.weightsOf(columns[index] as number, from, to),
    marginsOf: () => undefined,
  };
}

/** prime-rl's patched vLLM sends K ids and then the bits of their K float32 weights. */
function isPacked({ shape, descr }: NpyFile, { layout, nExpertsAct }: ModelFacts): boolean {
  const k = layout?.nExpertsAct ?? nExpertsAct;
  return k !== undefined && descr === "<i4" && shape[2] === 2 * k;
}

/** The block of tokens that is being compared, all layers of it, read once. */
class Block {
  readonly #ids: NpyFile;
  readonly #weights: NpyFile | undefined;
  readonly #shape: { readonly nColumns: number; readonly width: number; readonly k: number };
  #from = 0;
  #to = 0;
  #idBlock: Int32Array = new Int32Array(0);
  #weightBlock: Float32Array | undefined;

  constructor(
    ids: NpyFile,
    weights: NpyFile | undefined,
    shape: { readonly nColumns: number; readonly width: number; readonly k: number },
  ) {
    this.#ids = ids;
    this.#weights = weights;
    this.#shape = shape;
  }

  idsOf(column: number, from: number, to: number): Int32Array {
    this.#read(from, to);
    const { nColumns, width, k } = this.#shape;
    const out = new Int32Array((to - from) * k);
    gather(this.#idBlock, out, { first: column * width, step: nColumns * width, k });
    return out;
  }

  weightsOf(column: number, from: number, to: number): Float32Array | undefined {
    this.#read(from, to);
    const { nColumns, width, k } = this.#shape;
    const block = this.#weightBlock;
    if (block === undefined) return undefined;
    const out = new Float32Array((to - from) * k);
    gather(block, out, { first: column * width + width - k, step: nColumns * width, k });
    return out;
  }

  #read(from: number, to: number): void {
    if (from === this.#from && to === this.#to) return;
    const { nColumns, width, k } = this.#shape;
    const perToken = nColumns * width;
    this.#idBlock = this.#ids.integers(from * perToken, to * perToken);
    // The same bits, as floats.
    this.#weightBlock =
      width === k
        ? this.#weights?.floats(from * perToken, to * perToken)
        : new Float32Array(this.#idBlock.buffer, this.#idBlock.byteOffset, this.#idBlock.length);
    [this.#from, this.#to] = [from, to];
  }
}

/** Rows of `k` elements, `step` apart, one behind the other. */
function gather<A extends Int32Array | Float32Array>(
  block: A,
  out: A,
  { first, step, k }: { readonly first: number; readonly step: number; readonly k: number },
): void {
  for (let to = 0, from = first; to < out.length; to += k, from += step) {
    for (let slot = 0; slot < k; slot++) out[to + slot] = block[from + slot] as number;
  }
}
