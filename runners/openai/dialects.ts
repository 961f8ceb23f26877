/**
 * What differs between servers that speak the OpenAI protocol, one row each. Everything else (the shapes of errors,
 * where the reasoning stands, which finish reasons there are) is read the same way from all of them.
 */
import { UserError } from "../../errors.ts";
import { didYouMean } from "../../nearest.ts";
import type { RoutedExpertsForm } from "../routed-experts/forms.ts";

export interface Dialect {
  /** Whether requests carry a seed; false where the server would drop it. */
  readonly seed: boolean;
  /** Most stop strings the server takes. It is sent the first so many; the answer is cut at all of them. */
  readonly maxStops: number;
  /** Whether a stream has to be asked for its usage (`stream_options`); false where that is refused or not needed. */
  readonly streamOptions: boolean;
  readonly ignoreEos: boolean;
  readonly logprobs: boolean;
  /** The field that asks for the generated tokens' ids; absent where none does. */
  readonly tokenIdsField?: string;
  /** Sent always. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Sent when the temperature is above 0: switches off what the server would cut from the distribution by default. */
  readonly samplingFields: Readonly<Record<string, unknown>>;
  /** Sent as the model, whatever its name. */
  readonly wireModel?: string;
  /** The server loads models that `/v1/models` does not list. */
  readonly loadsUnlistedModels?: boolean;
  /** How it gives routed experts; absent where it does not. Such a server takes a prompt as token ids, too. */
  readonly routedExperts?: RoutedExpertsForm;
  /** Said once, when completions (not chat) are asked for. */
  readonly completionsWarning?: string;
}

const OPENAI: Dialect = {
  seed: true,
  maxStops: 4,
  streamOptions: true,
  ignoreEos: false,
  logprobs: true,
  fields: {},
  samplingFields: { top_p: 1 },
};

const VLLM: Dialect = {
  ...OPENAI,
  maxStops: Infinity,
  ignoreEos: true,
  tokenIdsField: "return_token_ids",
  // Otherwise taken from the model's generation_config.
  samplingFields: { top_p: 1, top_k: -1, min_p: 0 },
  routedExperts: "vllm",
};

export type DialectName =
  | "openai"
  | "atom"
  | "vllm"
  | "sglang"
  | "llama-cpp"
  | "trtllm"
  | "tgi"
  | "transformers"
  | "ollama";

export const DIALECTS: Readonly<Record<DialectName, Dialect>> = {
  openai: OPENAI,
  // Drops fields that it does not know without a word, and always ends a stream with its usage.
  atom: { ...OPENAI, seed: false, maxStops: Infinity, streamOptions: false, ignoreEos: true, logprobs: false },
  vllm: VLLM,
  sglang: { ...VLLM, routedExperts: "sglang" },
  "llama-cpp": {
    ...OPENAI,
    maxStops: Infinity,
    ignoreEos: true,
    // Its logits depend on what was cached, so an answer would depend on which docs came before. llama-cpp-python's server
    // punishes tokens that the prompt has (a penalty of 1.1) unless told not to, greedy or not.
    fields: { cache_prompt: false, repeat_penalty: 1 },
    samplingFields: { top_p: 1, top_k: 0, min_p: 0 },
  },
  trtllm: { ...OPENAI, maxStops: Infinity, ignoreEos: true },
  // Takes any model name but "tgi" for an adapter's; refuses a top_p of 1.
  tgi: { ...OPENAI, logprobs: false, samplingFields: {}, wireModel: "tgi" },
  // Refuses fields that it does not know or does not implement.
  transformers: { ...OPENAI, maxStops: Infinity, streamOptions: false, logprobs: false, loadsUnlistedModels: true },
  ollama: {
    ...OPENAI,
    maxStops: Infinity,
    logprobs: false,
    completionsWarning:
      "Ollama puts even completion prompts into the model's chat template; use a model without one (often tagged :text), or --chat",
  },
};

/** @throws UserError that lists the dialects there are */
export function getDialect(name: string): Dialect {
  if (Object.hasOwn(DIALECTS, name)) return DIALECTS[name as DialectName];
  const names = Object.keys(DIALECTS);
  throw new UserError(`no dialect "${name}"${didYouMean(name, names)}; there are: ${names.join(", ")}`);
}
