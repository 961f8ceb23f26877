/**
 * Routing captures while they are made: an append-only file that survives a kill, turned into a capture file
 * (safetensors, laid out as docs/captures.md says) at the end without ever being in memory as a whole.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { UserError } from "../errors.ts";
import { createSafetensorsWriter } from "../engine/safetensors-writer.ts";
import type { TensorSpec } from "../engine/safetensors-writer.ts";
import type { CloseChoices } from "../engine/requests.ts";
import type { CapturedRouting } from "./runner.ts";

/** One doc's place in the store. */
export interface StoredCapture {
  readonly docId: number;
  readonly nTokens: number;
  /** Of its tokens, those of the prompt; the rest are the completion's. */
  readonly promptTokens?: number;
  /** The completion's last token, which is not run. */
  readonly lastToken?: number;
  /** Choices whose scores are kept. Default: none. */
  readonly closeRows?: number;
}

export interface CaptureShape {
  readonly layers: readonly number[];
  /** K */
  readonly nExpertsAct: number;
  /** E */
  readonly nExpertsTot: number;
  /** Whether the engine gives weights, and router margins. */
  readonly weights: boolean;
  readonly margins: boolean;
  /** How the router chooses, where the scores of close choices are kept. */
  readonly rule?: CloseChoices["rule"];
}

/**
 * Bytes of one doc's record: input ids (int32), then topk ids (uint16) and, where there are any, weights and margins
 * (float32), layer-major; then, of close choices, where they stand (int32) and their scores (float32).
 */
function recordBytes(shape: CaptureShape, { nTokens, closeRows = 0 }: StoredCapture): number {
  const { layers, nExpertsAct, nExpertsTot, weights, margins } = shape;
  const rows = layers.length * nTokens;
  const fixed = nTokens * 4 + rows * nExpertsAct * (weights ? 2 + 4 : 2) + (margins ? rows * 4 : 0);
  return fixed + closeRows * 4 * (1 + nExpertsTot);
}

function sizeOf(shape: CaptureShape | undefined, kept: readonly StoredCapture[]): number {
  return shape === undefined ? 0 : kept.reduce((size, doc) => size + recordBytes(shape, doc), 0);
}

function attempt<T>(path: string, doing: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const advice = "free some space or choose another --output, and run the same command again";
    throw new UserError(`cannot ${doing} ${path}: ${(cause as Error).message}; ${advice}`, { cause });
  }
}

export class CaptureStore {
  readonly #path: string;
  readonly #fd: number;
  #size: number;

  private constructor(path: string, fd: number, size: number) {
    this.#path = path;
    this.#fd = fd;
    this.#size = size;
  }

  /** What all captures of one engine have in common. */
  static shapeOf({ layers, nExpertsAct, nExpertsTot, ...routing }: CapturedRouting): CaptureShape {
    const { topkWeights, margins, close } = routing;
    const given = { weights: topkWeights !== undefined, margins: margins !== undefined };
    return { layers, nExpertsAct, nExpertsTot, ...given, ...(close !== undefined && { rule: close.rule }) };
  }

  /** True when the store's file holds at least the records of `kept`. */
  static holds(path: string, shape: CaptureShape | undefined, kept: readonly StoredCapture[]): boolean {
    return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) >= sizeOf(shape, kept);
  }

  /**
   * Opens the store with what `kept` says it must hold, in that order; anything after that was cut off in mid-write.
   *
   * @throws UserError when the file cannot be opened, or is shorter (see `holds`)
   */
  static open(path: string, shape: CaptureShape | undefined, kept: readonly StoredCapture[]): CaptureStore {
    const size = sizeOf(shape, kept);
    return attempt(path, "open", () => {
      const fd = openSync(path, constants.O_RDWR | constants.O_CREAT);
      if (fstatSync(fd).size < size) {
        closeSync(fd);
        throw new Error("it is shorter than the run's own record says");
      }
      ftruncateSync(fd, size);
      return new CaptureStore(path, fd, size);
    });
  }

  /** @throws UserError when the disk is full and the like */
  append(inputIds: readonly number[], { topkIds, topkWeights, margins, close }: CapturedRouting): void {
    attempt(this.#path, "write", () => {
      const arrays = [Int32Array.from(inputIds), topkIds, topkWeights, margins, close?.rows, close?.scores];
      for (const array of arrays) {
        if (array === undefined) continue;
        const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
        for (let done = 0; done < bytes.length;) {
          done += writeSync(this.#fd, bytes, done, bytes.length - done, this.#size + done);
        }
        this.#size += bytes.length;
      }
    });
  }

  /** Writes the capture file. */
  writeCaptureFile(
    path: string,
    shape: CaptureShape,
    docs: readonly StoredCapture[],
    metadata: Readonly<Record<string, string>>,
  ): void {
    const close = shape.rule === undefined ? undefined : this.#countClose(shape, docs);
    const writer = createSafetensorsWriter(path, tensorSpecs(shape, docs, close), {
      ...metadata,
      ...ruleMetadata(shape),
      n_expts_tot: String(shape.nExpertsTot),
      n_expts_act: String(shape.nExpertsAct),
      moe_layers: shape.layers.join(","),
    });
    try {
      const narrow = shape.nExpertsTot <= 256;
      let record = 0;
      let firstToken = 0;
      for (const doc of docs) {
        const { docId, nTokens } = doc;
        const perLayer = nTokens * shape.nExpertsAct;
        const idsAt = record + nTokens * 4;
        const weightsAt = idsAt + shape.layers.length * perLayer * 2;
        const marginsAt = weightsAt + (shape.weights ? shape.layers.length * perLayer * 4 : 0);
        writer.write("input_ids", new Int32Array(this.#read(record, nTokens * 4)));
        writer.write("doc_index", new Int32Array(nTokens).fill(docId));
        writer.write(
          "position",
          Int32Array.from({ length: nTokens }, (_, position) => position),
        );
        for (const [index, layer] of shape.layers.entries()) {
          const ids = new Uint16Array(this.#read(idsAt + index * perLayer * 2, perLayer * 2));
          writer.write(`layers.${layer}.topk_ids`, narrow ? Uint8Array.from(ids) : ids);
          if (shape.weights) {
            const weights = new Float32Array(this.#read(weightsAt + index * perLayer * 4, perLayer * 4));
            writer.write(`layers.${layer}.topk_weights`, weights);
          }
          if (!shape.margins) continue;
          const margins = new Float32Array(this.#read(marginsAt + index * nTokens * 4, nTokens * 4));
          writer.write(`layers.${layer}.router_margin`, margins);
        }
        if (close !== undefined) {
          for (const { layer, token, scores } of this.#readClose(shape, doc, record)) {
            writer.write(`layers.${layer}.close_rows`, Int32Array.of(firstToken + token));
            writer.write(`layers.${layer}.close_scores`, scores);
          }
        }
        firstToken += nTokens;
        record += recordBytes(shape, doc);
      }
      for (const { name, of } of boundaries(docs)) writer.write(name, Int32Array.from(docs, of));
      writer.close();
    } catch (error) {
      writer.abort();
      throw error;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** Closes the store and deletes its file: the capture file has taken its place. */
  remove(): void {
    this.close();
    unlinkSync(this.#path);
  }

  /** How many choices of each layer are close. */
  #countClose(shape: CaptureShape, docs: readonly StoredCapture[]): ReadonlyMap<number, number> {
    const counts = new Map(shape.layers.map((layer) => [layer, 0]));
    let record = 0;
    for (const doc of docs) {
      for (const { layer } of this.#readClose(shape, doc, record)) counts.set(layer, (counts.get(layer) ?? 0) + 1);
      record += recordBytes(shape, doc);
    }
    return counts;
  }

  /** The close choices of a doc, by layer and token. */
  *#readClose(
    shape: CaptureShape,
    doc: StoredCapture,
    record: number,
  ): Generator<{ readonly layer: number; readonly token: number; readonly scores: Float32Array }> {
    const { closeRows: count = 0, nTokens } = doc;
    const rowsAt = record + recordBytes(shape, { ...doc, closeRows: 0 });
    const rows = new Int32Array(this.#read(rowsAt, count * 4));
    const all = new Float32Array(this.#read(rowsAt + count * 4, count * shape.nExpertsTot * 4));
    for (const [at, row] of rows.entries()) {
      const layer = shape.layers[Math.floor(row / nTokens)] as number;
      const scores = all.subarray(at * shape.nExpertsTot, (at + 1) * shape.nExpertsTot);
      yield { layer, token: row % nTokens, scores };
    }
  }

  #read(position: number, length: number): ArrayBuffer {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const read = readSync(this.#fd, bytes, done, length - done, position + done);
      if (read === 0) throw new Error(`${this.#path} ended early`);
      done += read;
    }
    return bytes.buffer;
  }
}

/** What lets the same tokens be run again, of each doc: where its completion begins, and the token that was not run. */
function boundaries(
  docs: readonly StoredCapture[],
): readonly { readonly name: string; readonly of: (doc: StoredCapture) => number }[] {
  if (docs.some(({ promptTokens, lastToken }) => promptTokens === undefined || lastToken === undefined)) return [];
  return [
    { name: "docs.doc_index", of: ({ docId }) => docId },
    { name: "docs.prompt_tokens", of: ({ promptTokens = 0 }) => promptTokens },
    { name: "docs.last_token", of: ({ lastToken = 0 }) => lastToken },
  ];
}

/** What the scores of close choices have to be read with. */
function ruleMetadata({ rule }: CaptureShape): Readonly<Record<string, string>> {
  if (rule === undefined) return {};
  const { nGroup, topkGroup, groupScore } = rule;
  return { n_group: String(nGroup), topk_group: String(topkGroup), group_score: groupScore };
}

function tensorSpecs(
  shape: CaptureShape,
  docs: readonly StoredCapture[],
  close: ReadonlyMap<number, number> | undefined,
): TensorSpec[] {
  const { layers, nExpertsAct, nExpertsTot } = shape;
  const tokens = docs.reduce((n, { nTokens }) => n + nTokens, 0);
  const perLayer = (layer: number): TensorSpec[] => {
    const ids = { dtype: nExpertsTot <= 256 ? "U8" : "U16", shape: [tokens, nExpertsAct] } as const;
    const specs: TensorSpec[] = [{ name: `layers.${layer}.topk_ids`, ...ids }];
    if (shape.weights) specs.push({ name: `layers.${layer}.topk_weights`, dtype: "F32", shape: [tokens, nExpertsAct] });
    if (shape.margins) specs.push({ name: `layers.${layer}.router_margin`, dtype: "F32", shape: [tokens] });
    const count = close?.get(layer);
    if (count !== undefined) {
      specs.push({ name: `layers.${layer}.close_rows`, dtype: "I32", shape: [count] });
      specs.push({ name: `layers.${layer}.close_scores`, dtype: "F32", shape: [count, nExpertsTot] });
    }
    return specs;
  };
  return [
    { name: "input_ids", dtype: "I32", shape: [tokens] },
    { name: "doc_index", dtype: "I32", shape: [tokens] },
    { name: "position", dtype: "I32", shape: [tokens] },
    ...layers.flatMap(perLayer),
    ...boundaries(docs).map(({ name }) => ({ name, dtype: "I32", shape: [docs.length] }) as const),
  ];
}
