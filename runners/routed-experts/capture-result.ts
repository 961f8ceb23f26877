/** What became of an attempt to capture: never a broken capture that looks like one. */
import type { RoutingCapture } from "../../engine/requests.ts";

/** A capture of one sequence. Servers give ids only; their order inside a token is the kernel's, so compare them as sets. */
export interface RoutedExperts extends Omit<RoutingCapture, "topkWeights" | "margins" | "close"> {
  /** [L, T, K], where the engine gives them. */
  readonly topkWeights?: Float32Array;
  /** [L, T], where the engine gives them. */
  readonly margins?: Float32Array;
  readonly close?: RoutingCapture["close"];
}

export type CaptureFault =
  /** The payload is not what this form is. */
  | "unreadable"
  | "wrong-k"
  | "wrong-layers"
  | "missing-rows"
  | "extra-rows"
  /** Every id of every layer is 0. */
  | "all-zero"
  /** All of one MoE layer. */
  | "zero-layer"
  /** Whole tokens, in all layers or one. */
  | "zero-rows"
  /** -1: the token's keys and values came from the prefix cache, and were not routed again. */
  | "cached"
  | "out-of-range"
  | "duplicate-ids"
  /** A layer sends every token to the same experts. */
  | "constant"
  /** Two layers hold the same ids throughout. */
  | "same-layers"
  /** A layer that has no experts carries ids. */
  | "dense-layer"
  | "bad-weights"
  /** A layer's router margins are all 0. */
  | "bad-margins"
  /** The server ran other tokens than it was given. */
  | "other-tokens"
  /** Given for other docs, but not for this one. */
  | "dropped";

export type AbsentCause =
  /** The response has no such field. */
  | "no-field"
  /** The field is there and null. */
  | "null-field"
  /** The server cannot be given the tokens, so that nothing would be comparable. */
  | "no-tokens";

export interface Captured {
  readonly kind: "captured";
  readonly routing: RoutedExperts;
  /** Layers taken for dense because all of their ids are 0 and the layout does not say which are: to be reported. */
  readonly assumedDense: readonly number[];
}

export interface BrokenCapture {
  readonly kind: "broken";
  readonly fault: CaptureFault;
  /** Starts with `capture broken: `. */
  readonly reason: string;
}

export interface AbsentCapture {
  readonly kind: "absent";
  readonly cause: AbsentCause;
  readonly reason: string;
}

export type CaptureResult = Captured | BrokenCapture | AbsentCapture;

export function broken(fault: CaptureFault, reason: string): BrokenCapture {
  return { kind: "broken", fault, reason: `capture broken: ${reason}` };
}

export function absent(cause: AbsentCause, reason: string): AbsentCapture {
  return { kind: "absent", cause, reason };
}

/** Carries a broken or absent capture out of the depth of a decoder. */
export class CaptureError extends Error {
  override name = "CaptureError";
  readonly result: BrokenCapture | AbsentCapture;

  constructor(result: BrokenCapture | AbsentCapture) {
    super(result.reason);
    this.result = result;
  }
}

/** What a doc lacks that other docs of the same server had. */
export function dropped(): BrokenCapture {
  return broken(
    "dropped",
    "the server gave routed experts for other docs but none for this one (preempted or aborted?)",
  );
}

/**
 * One server's results, doc by doc. A server that gave captures for some docs has the flag on: where it gave none, it
 * lost them (vLLM 0.21 does, without a word, when it preempts a request), which is a broken capture and not a lacking one.
 */
export function settleAcrossDocs(results: readonly CaptureResult[]): readonly CaptureResult[] {
  if (!results.some(({ kind }) => kind === "captured")) return results;
  return results.map((result) => (result.kind === "absent" && result.cause !== "no-tokens" ? dropped() : result));
}
