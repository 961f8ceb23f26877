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
  /** A conversation in the model's chat template, ready for the assistant's turn. UserError when it has no template. */
  encodeChat(messages: readonly ChatMessage[]): number[];
}

/** Loads `tokenizer.json` and, where there is one, `tokenizer_config.json` from a checkpoint folder. */
export function loadTokenizer(dir: string): Tokenizer {
  const path = join(dir, "tokenizer.json");
  const config = readJson(join(dir, "tokenizer_config.json"), true) ?? {};
  const tokenizer = new PreTrainedTokenizer(readJson(path, false), config);
  return {
    encode: (text) => tokenizer.encode(text, { add_special_tokens: false }),
    decode: (ids) =>
      // The library refuses an empty list.
      ids.length === 0
        ? ""
        : tokenizer.decode([...ids], { skip_special_tokens: true, clean_up_tokenization_spaces: false }),
    encodeChat(messages) {
      if (!tokenizer.chat_template) throw new UserError(`${dir}: this model has no chat template; leave out --chat`);
      const text = tokenizer.apply_chat_template([...messages], { tokenize: false, add_generation_prompt: true });
      return tokenizer.encode(text as string, { add_special_tokens: false });
    },
  };
}

function readJson(path: string, optional: boolean): object | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if (optional && (cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new UserError(`cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  try {
    return JSON.parse(text) as object;
  } catch (cause) {
    throw new UserError(`${path}: not valid JSON (${(cause as Error).message})`, { cause });
  }
}
