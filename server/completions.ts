/** `POST /v1/completions` */
import { z } from "zod";
import { checkModel } from "./about.ts";
import { badField } from "./api-error.ts";
import type { ServerContext } from "./context.ts";
import { CompletionLogprobsWriter } from "./logprobs.ts";
import { planChoices, streamingOf, writeRouting } from "./plan.ts";
import type { Format, Plan } from "./plan.ts";
import { checkRoom, readPrompts } from "./prompts.ts";
import { fieldsReader, MAX_TOP_LOGPROBS } from "./request-fields.ts";
import type { CommonFields } from "./request-fields.ts";

/** As in the protocol. */
const DEFAULT_MAX_TOKENS = 16;

const readFields = fieldsReader(
  {
    prompt: z.unknown().optional(),
    logprobs: z.int().min(0).max(MAX_TOP_LOGPROBS).nullish(),
    echo: z.boolean().nullish(),
  },
  { suffix: [""] },
);

export function planCompletion(context: ServerContext, body: unknown): Plan {
  const fields = readFields(body);
  checkModel(context, fields.model);
  const maxTokens = fields.max_tokens ?? DEFAULT_MAX_TOKENS;
  const echo = fields.echo ?? false;
  if (maxTokens === 0 && !echo) throw badField("max_tokens", "max_tokens can only be 0 together with echo: true");
  const prompts = readPrompts(context, fields.prompt, maxTokens > 0);
  checkRoom(context, prompts, "max_tokens", fields.max_tokens);
  const topLogprobs = fields.logprobs ?? undefined;
  return {
    choices: planChoices(context, fields, { prompts, maxTokens, echo, topLogprobs }),
    promptTokens: prompts.reduce((sum, { ids }) => sum + ids.length, 0),
    ...streamingOf(fields),
    format: completionFormat(context, fields),
  };
}

function completionFormat(context: ServerContext, fields: CommonFields): Format {
  return {
    idPrefix: "cmpl-",
    object: "text_completion",
    chunkObject: "text_completion",
    writer({ index, prompt, topLogprobs }) {
      const logprobs = topLogprobs === undefined ? undefined : new CompletionLogprobsWriter(context.vocabulary);
      return ({ first, echoed = [], text, tokens, end }) => {
        const { inChoice, beside } = writeRouting(context, fields, end?.routing);
        const choice = {
          index,
          text,
          logprobs: logprobs?.write(echoed, tokens) ?? null,
          finish_reason: end?.finishReason ?? null,
          ...(fields.return_token_ids === true && {
            ...(first && { prompt_token_ids: prompt.ids }),
            token_ids: tokens.map(({ tokenId }) => tokenId),
          }),
          ...inChoice,
        };
        return { choice, ...(beside !== undefined && { beside }) };
      };
    },
  };
}
