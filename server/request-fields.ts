/** The fields that both kinds of completion know. Whatever is not among them is refused: a misspelt one would be lost. */
import { z } from "zod";
import { didYouMean } from "../nearest.ts";
import { ApiError, badField } from "./api-error.ts";

/** Most answers to one prompt. */
const MAX_N = 16;
/** Most alternatives per token, as vLLM has it. */
export const MAX_TOP_LOGPROBS = 20;
/** Bounds on stop texts: each is looked for in every token's text. */
const MAX_STOPS = 64;
const MAX_STOP_CHARACTERS = 1000;

const stopText = z.string().max(MAX_STOP_CHARACTERS);
const count = z.int().min(0);

/** Means nothing to this server, and can do no harm: whatever it says, the answer is the same. */
const IGNORED = [
  "cache_prompt",
  "cache_salt",
  "metadata",
  "parallel_tool_calls",
  "priority",
  "prompt_cache_key",
  "request_id",
  "rid",
  "safety_identifier",
  "service_tier",
  "store",
  "user",
] as const;

/** By field, the values that it may have. */
type NeutralFields = Readonly<Record<string, readonly unknown[]>>;

/** Fields that must say what they say by default, since this server does nothing else. */
const NEUTRAL: NeutralFields = {
  add_special_tokens: [false],
  frequency_penalty: [0],
  presence_penalty: [0],
  // llama.cpp's word for the next.
  repeat_penalty: [1],
  repetition_penalty: [1],
  skip_special_tokens: [true],
  use_beam_search: [false],
};

/** The same, but they only matter where tokens are drawn: a greedy choice is the same with any of them. */
const NEUTRAL_WHEN_DRAWN: NeutralFields = {
  min_p: [0],
  top_k: [-1, 0],
  top_p: [1],
};

/** `null` says the same as nothing, as in the protocol. */
const COMMON_FIELDS: z.ZodRawShape = {
  model: z.string().nullish(),
  max_tokens: count.nullish(),
  temperature: z.number().min(0).max(100).nullish(),
  seed: z.int().nullish(),
  stop: z
    .union([stopText, z.array(stopText).max(MAX_STOPS)], {
      error: `expected a text or at most ${MAX_STOPS} of them, of at most ${MAX_STOP_CHARACTERS} characters each`,
    })
    .nullish(),
  n: z.int().min(1).max(MAX_N).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z
    .strictObject({ include_usage: z.boolean().nullish(), continuous_usage_stats: z.boolean().nullish() })
    .nullish(),
  ignore_eos: z.boolean().nullish(),
  return_token_ids: z.boolean().nullish(),
  return_routed_experts: z.boolean().nullish(),
  routed_experts_start_len: count.nullish(),
  routed_experts_prompt_start: count.nullish(),
  best_of: z.int().nullish(),
  min_tokens: count.nullish(),
  logit_bias: z.strictObject({}).nullish(),
};

type Optional<T> = T | null | undefined;

export interface CommonFields {
  readonly model?: Optional<string>;
  readonly max_tokens?: Optional<number>;
  readonly temperature?: Optional<number>;
  readonly seed?: Optional<number>;
  readonly stop?: Optional<string | readonly string[]>;
  readonly n?: Optional<number>;
  readonly stream?: Optional<boolean>;
  readonly stream_options?: Optional<{
    readonly include_usage?: Optional<boolean>;
    /** Usage so far with every piece, as in vLLM. */
    readonly continuous_usage_stats?: Optional<boolean>;
  }>;
  /** Go on after an end-of-text token, as in vLLM. */
  readonly ignore_eos?: Optional<boolean>;
  /** As in vLLM. */
  readonly return_token_ids?: Optional<boolean>;
  /** As in SGLang, and from which token on. */
  readonly return_routed_experts?: Optional<boolean>;
  readonly routed_experts_start_len?: Optional<number>;
  /** From which token on routed experts are returned, as in vLLM. */
  readonly routed_experts_prompt_start?: Optional<number>;
  readonly best_of?: Optional<number>;
  readonly min_tokens?: Optional<number>;
}

/**
 * Makes the reader of one endpoint's bodies.
 *
 * @param own - the fields that it knows besides the common ones
 * @param neutral - more fields that must say what they say by default
 * @returns throws ApiError 400, which names the first field at fault
 */
export function fieldsReader<Shape extends z.ZodRawShape>(
  own: Shape,
  neutral: NeutralFields = {},
): (body: unknown) => CommonFields & z.infer<z.ZodObject<Shape>> {
  const unchecked = [...IGNORED, ...Object.keys({ ...NEUTRAL, ...NEUTRAL_WHEN_DRAWN, ...neutral })];
  const shape = {
    ...Object.fromEntries(unchecked.map((name) => [name, z.unknown().optional()])),
    ...COMMON_FIELDS,
    ...own,
  };
  const schema = z.strictObject(shape);
  const known = Object.keys(shape);
  return (body) => {
    if (typeof body !== "object" || body === null || Array.isArray(body))
      throw new ApiError(400, "the body must be a JSON object");
    const parsed = schema.safeParse(body);
    if (!parsed.success) throw refusal(parsed.error.issues[0] as z.core.$ZodIssue, known);
    const fields = parsed.data as CommonFields & z.infer<z.ZodObject<Shape>>;
    checkNeutral(parsed.data, { ...NEUTRAL, ...neutral });
    if (temperatureOf(fields) > 0) checkNeutral(parsed.data, NEUTRAL_WHEN_DRAWN);
    checkTogether(fields);
    return fields;
  };
}

function checkTogether(fields: CommonFields): void {
  if (fields.stream_options && fields.stream !== true)
    throw badField("stream_options", "stream_options can only be given with stream: true");
  if (typeof fields.best_of === "number" && fields.best_of !== (fields.n ?? 1))
    throw badField("best_of", "best_of other than n is not supported");
  // Load generators send both, and then it asks for nothing more.
  if (fields.min_tokens && fields.ignore_eos !== true)
    throw badField("min_tokens", "min_tokens is only supported with ignore_eos: true");
}

/** As in the protocol, which is not greedy by default. */
export function temperatureOf({ temperature }: CommonFields): number {
  return temperature ?? 1;
}

export function stopsOf({ stop }: CommonFields): readonly string[] {
  return typeof stop === "string" ? [stop] : (stop ?? []);
}

function checkNeutral(fields: Readonly<Record<string, unknown>>, neutral: NeutralFields): void {
  for (const [name, allowed] of Object.entries(neutral)) {
    const value = fields[name];
    if (value === undefined || value === null || allowed.includes(value)) continue;
    const only = allowed.map((each) => JSON.stringify(each)).join(" or ");
    throw badField(name, `${name}: this server supports only ${only}`);
  }
}

function refusal(issue: z.core.$ZodIssue, known: readonly string[]): ApiError {
  const path = issue.path.map(String);
  if (issue.code !== "unrecognized_keys") {
    const where = path.join(".");
    return badField(where, `${where}: ${issue.message}`);
  }
  // Whatever the client sent is shown in part only.
  const name = (issue.keys[0] ?? "").slice(0, 100);
  const param = [...path, name].join(".");
  return badField(param, `${param}: no such field${path.length === 0 ? didYouMean(name, known) : ""}`);
}
