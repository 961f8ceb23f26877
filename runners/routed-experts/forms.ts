/** The forms in which servers give routed experts, one row each. */
import { UserError } from "../../errors.ts";
import { didYouMean } from "../../nearest.ts";
import type { DecodedIds, ServedTokens } from "./decoded-ids.ts";
import { decodePacked } from "./packed.ts";
import { decodeSglang } from "./sglang.ts";
import { decodeVllm } from "./vllm.ts";

export interface RoutedExpertsFormRow {
  /** What a request has to carry. A server that does not know a field drops it without a word. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** @throws CaptureError */
  readonly decode: (body: unknown, served: ServedTokens) => DecodedIds;
}

export type RoutedExpertsForm = "sglang" | "vllm" | "prime-rl";

export const FORMS: Readonly<Record<RoutedExpertsForm, RoutedExpertsFormRow>> = {
  sglang: { fields: { return_routed_experts: true }, decode: decodeSglang },
  // Both of its forms, 0.21's lists too: which one it is, is plain to see. The server's flag alone decides.
  vllm: { fields: {}, decode: decodeVllm },
  "prime-rl": { fields: {}, decode: decodePacked },
};

/** @throws UserError that lists the forms there are */
export function getForm(name: string): RoutedExpertsFormRow {
  if (Object.hasOwn(FORMS, name)) return FORMS[name as RoutedExpertsForm];
  const names = Object.keys(FORMS);
  throw new UserError(`no form of routed experts "${name}"${didYouMean(name, names)}; there are: ${names.join(", ")}`);
}
