/** The checkpoint's own tokenizer, by the library of the family that made it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PreTrainedTokenizer } from "@huggingface/transformers";
import { UserError } from "../errors.ts";

export interface ChatMessage {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

export interface Tokenizer {
  encode(text: string): number[];
  decode(ids: readonly number[]): string;
  /** One token as it is written, special ones too; empty for an id that no token has. */
  nameOf(id: number): string;
  /** A conversation in the model's chat template, ready for the assistant's turn. UserError when it has no template. */
  encodeChat(messages: readonly ChatMessage[]): number[];
}

/** Loads `tokenizer.json` and, where there is one, `tokenizer_config.json` from a checkpoint folder. */
export function loadTokenizer(dir: string): Tokenizer {
  const path = join(dir, "tokenizer.json");
  const config = readJson(join(dir, "tokenizer_config.json"), true) ?? {};
  const tokenizer = open(path, readJson(path, false) ?? {}, config);
  return {
    encode: (text) => tokenizer.encode(text, { add_special_tokens: false }),
    decode: (ids) =>
      // The library refuses an empty list.
      ids.length === 0
        ? ""
        : tokenizer.decode([...ids], { skip_special_tokens: true, clean_up_tokenization_spaces: false }),
    nameOf: (id) => tokenizer.decode([id], { skip_special_tokens: false, clean_up_tokenization_spaces: false }),
    encodeChat(messages) {
      if (!tokenizer.chat_template) throw new UserError(`${dir}: this model has no chat template; leave out --chat`);
      return tokenizer.encode(render(dir, tokenizer, messages), { add_special_tokens: false });
    },
  };
}

function open(path: string, data: object, config: object): PreTrainedTokenizer {
  try {
    return new PreTrainedTokenizer(data, config);
  } catch (cause) {
    throw new UserError(`${path}: not a usable tokenizer (${reasonOf(cause)})`, { cause });
  }
}

function render(dir: string, tokenizer: PreTrainedTokenizer, messages: readonly ChatMessage[]): string {
  try {
    const text: unknown = tokenizer.apply_chat_template([...messages], {
      tokenize: false,
      add_generation_prompt: true,
    });
    if (typeof text !== "string") throw new Error("it gives no text");
    return text;
  } catch (cause) {
    throw new UserError(`${dir}: its chat template cannot be used (${reasonOf(cause)})`, { cause });
  }
}

/** What a library said, as one line. */
function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, " ").trim();
}

function readJson(path: string, optional: boolean): object | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if (optional && (cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    const parts = "a checkpoint folder holds config.json, model.safetensors and tokenizer.json";
    throw new UserError(`cannot read ${path}: ${(cause as Error).message}; ${parts}`, { cause });
  }
  try {
    return JSON.parse(text) as object;
  } catch (cause) {
    throw new UserError(`${path}: not valid JSON (${(cause as Error).message})`, { cause });
  }
}
