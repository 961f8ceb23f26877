/** Reads a capture file (docs/captures.md) a stretch of tokens at a time, so that any number of tokens fits in memory. */
import { openSafetensors } from "../engine/safetensors.ts";
import type { SafetensorsFile } from "../engine/safetensors.ts";
import type { CaptureShape } from "./capture-store.ts";
import { closeScoresOf } from "./captures/close-scores.ts";
import type { ChoiceRule } from "./captures/close-scores.ts";
import { captureLayout } from "./captures/safetensors-capture.ts";

/** What was routed for some tokens; every array is layer-major. */
export interface CapturedTokens {
  /** [tokens] that were run */
  readonly inputIds: Int32Array;
  /** [layers * tokens * K] */
  readonly ids: Int32Array;
  readonly weights?: Float32Array;
  /** [layers * tokens] */
  readonly margins?: Float32Array;
  /** The scores behind margins that are small, by layer (index) and token. */
  readonly close?: (index: number) => { readonly rule: ChoiceRule; of(token: number): Float32Array | undefined };
}

export interface CaptureFile {
  readonly shape: CaptureShape;
  /** What was routed for the tokens `from` up to, not including, `to`. */
  read(from: number, to: number): CapturedTokens;
  close(): void;
}

/** @throws UserError where the file cannot be read or is no capture */
export function openCaptureFile(path: string): CaptureFile {
  const file = openSafetensors(path);
  try {
    const shape = shapeOf(file);
    return {
      shape,
      read: (from, to) => readTokens(file, shape, from, to),
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw error;
  }
}

function shapeOf(file: SafetensorsFile): CaptureShape {
  const { layers, nExpertsAct, nExpertsTot, weights, margins, rule } = captureLayout(file);
  const shape = { layers, nExpertsAct, nExpertsTot, weights: weights !== undefined, margins };
  return rule === undefined ? shape : { ...shape, rule };
}

function readTokens(file: SafetensorsFile, shape: CaptureShape, from: number, to: number): CapturedTokens {
  const { layers, nExpertsAct, rule } = shape;
  const floats = (name: string, width: number): Float32Array => {
    const out = new Float32Array(layers.length * (to - from) * width);
    for (const [index, layer] of layers.entries()) {
      const range = { begin: from * width, end: to * width };
      out.set(file.readFloat32(`layers.${layer}.${name}`, range), index * (to - from) * width);
    }
    return out;
  };
  const ids = new Int32Array(layers.length * (to - from) * nExpertsAct);
  for (const [index, layer] of layers.entries()) {
    const range = { begin: from * nExpertsAct, end: to * nExpertsAct };
    ids.set(file.readInt32(`layers.${layer}.topk_ids`, range), index * (to - from) * nExpertsAct);
  }
  return {
    inputIds: file.readInt32("input_ids", { begin: from, end: to }),
    ids,
    ...(shape.weights ? { weights: floats("topk_weights", nExpertsAct) } : {}),
    ...(shape.margins ? { margins: floats("router_margin", 1) } : {}),
    ...(rule !== undefined && {
      close: (index: number) => ({ rule, of: (token: number) => closeScoresOf(file, shape, index, from + token) }),
    }),
  };
}
