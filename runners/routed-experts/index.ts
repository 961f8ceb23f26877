/** Routing captured from servers: read, checked, and paired so that only what is comparable is compared. */
export { dropped, settleAcrossDocs } from "./capture-result.ts";
export type {
  AbsentCapture,
  AbsentCause,
  BrokenCapture,
  Captured,
  CaptureFault,
  CaptureResult,
  RoutedExperts,
} from "./capture-result.ts";
export type { CapturedSequence, CaptureRequest, SequenceLogprobs, SequenceTokens } from "./captured-sequence.ts";
export { checkCapture, MIN_DISTINCT_TOKENS } from "./check-capture.ts";
export type { ExpectedTokens } from "./check-capture.ts";
export type { DecodedIds } from "./decoded-ids.ts";
export { getForm } from "./forms.ts";
export type { RoutedExpertsForm } from "./forms.ts";
export { firstTokens } from "./layer-major.ts";
export { moeLayout } from "./moe-layout.ts";
export type { MoeLayout } from "./moe-layout.ts";
export { readNpy } from "./npy.ts";
export type { NpyArray } from "./npy.ts";
export { pairCaptures } from "./pair-captures.ts";
export type { NotPaired, PairedCaptures, PairedLogprobs, PairedRouting, SharedTokens } from "./pair-captures.ts";
export { readCapture } from "./read-capture.ts";
export type { ReadCaptureOptions } from "./read-capture.ts";
export { readMoeLayout } from "./read-moe-layout.ts";
