/** `POST /v1/chat/completions` */
import { z } from "zod";
import type { ChatMessage } from "../engine/tokenizer.ts";
import { checkModel } from "./about.ts";
import { badField } from "./api-error.ts";
import type { ServerContext } from "./context.ts";
import { chatLogprobs } from "./logprobs.ts";
import { planChoices, streamingOf, writeRouting } from "./plan.ts";
import type { Format, Plan } from "./plan.ts";
import { checkRoom, readChat } from "./prompts.ts";
import { fieldsReader, MAX_TOP_LOGPROBS } from "./request-fields.ts";
import type { CommonFields } from "./request-fields.ts";

const text = z.strictObject({ type: z.literal("text"), text: z.string() });
const message = z.strictObject({
  role: z.enum(["system", "developer", "user", "assistant"]),
  content: z.union([z.string(), z.array(text)], { error: "expected a text or a list of parts of type text" }),
  name: z.string().nullish(),
});

const readFields = fieldsReader(
  {
    messages: z.array(message).min(1),
    max_completion_tokens: z.int().min(1).nullish(),
    logprobs: z.boolean().nullish(),
    top_logprobs: z.int().min(0).max(MAX_TOP_LOGPROBS).nullish(),
    response_format: z.strictObject({ type: z.literal("text") }).nullish(),
    tools: z.array(z.unknown()).max(0).nullish(),
    chat_template_kwargs: z.strictObject({}).nullish(),
  },
  { add_generation_prompt: [true], continue_final_message: [false], echo: [false], tool_choice: ["none"] },
);

export function planChat(context: ServerContext, body: unknown): Plan {
  const fields = readFields(body);
  checkModel(context, fields.model);
  if (fields.top_logprobs && fields.logprobs !== true)
    throw badField("top_logprobs", "top_logprobs can only be given with logprobs: true");
  const param = typeof fields.max_completion_tokens === "number" ? "max_completion_tokens" : "max_tokens";
  const maxTokens = fields.max_completion_tokens ?? fields.max_tokens ?? undefined;
  if (maxTokens === 0) throw badField("max_tokens", "max_tokens must be at least 1");
  const ids = readChat(context, fields.messages.map(toChatMessage));
  checkRoom(context, [{ ids }], param, maxTokens);
  const topLogprobs = fields.logprobs === true ? (fields.top_logprobs ?? 0) : undefined;
  return {
    choices: planChoices(context, fields, { prompts: [{ ids, text: "" }], maxTokens, echo: false, topLogprobs }),
    promptTokens: ids.length,
    ...streamingOf(fields),
    format: chatFormat(context, fields),
  };
}

function toChatMessage({ role, content }: z.infer<typeof message>): ChatMessage {
  return {
    role: role === "developer" ? "system" : role,
    content: typeof content === "string" ? content : content.map((part) => part.text).join(""),
  };
}

function chatFormat(context: ServerContext, fields: CommonFields): Format {
  return {
    idPrefix: "chatcmpl-",
    object: "chat.completion",
    chunkObject: "chat.completion.chunk",
    writer({ index, prompt, topLogprobs }) {
      return ({ first, text: content, tokens, end }) => {
        const { inChoice, beside } = writeRouting(context, fields, end?.routing);
        const said = { ...(first && { role: "assistant" }), content };
        const withIds = fields.return_token_ids === true;
        const choice = {
          index,
          [fields.stream === true ? "delta" : "message"]: fields.stream === true ? said : { ...said, refusal: null },
          logprobs: topLogprobs === undefined ? null : chatLogprobs(context.vocabulary, tokens),
          finish_reason: end?.finishReason ?? null,
          ...(withIds && { token_ids: tokens.map(({ tokenId }) => tokenId) }),
          ...inChoice,
        };
        return { choice, beside: { ...(withIds && first && { prompt_token_ids: prompt.ids }), ...beside } };
      };
    },
  };
}
