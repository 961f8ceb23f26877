/** What every form is decoded to, before anything is believed. */
import { CaptureError, broken } from "./capture-result.ts";
import type { MoeLayout } from "./moe-layout.ts";

export interface DecodedIds {
  readonly rows: number;
  /** All layers of the model, or its MoE layers only: the engines differ. */
  readonly layers: number;
  readonly k: number;
  /** [rows, layers, k], row-major, as the server gave them: -1 may be among them. */
  readonly ids: Int32Array;
  readonly weights?: Float32Array;
}

/** The tokens that the server says it ran, and the model that it ran them in. */
export interface ServedTokens {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly layout: MoeLayout;
}

/** @throws CaptureError where it is not strict base64: Node itself skips what it does not know */
export function decodeBase64(text: string, where: string): Uint8Array {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text))
    throw unreadable(`${where} is not base64 (${text.length} characters; cut off, or something else altogether?)`);
  return Buffer.from(text, "base64");
}

export function unreadable(reason: string): CaptureError {
  return new CaptureError(broken("unreadable", reason));
}
