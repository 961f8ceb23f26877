/** Text of tokens, by the tokenizer in a model's folder. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { loadTokenizer } from "../engine/tokenizer.ts";

export interface TokenDecoder {
  /** Special tokens, and ids that no token has, are left out. */
  decode(ids: readonly number[]): string;
  /** One token as it is written, special ones too; empty for an id that no token has. */
  nameOf(id: number): string;
}

/**
 * @param folder - of a checkpoint
 * @returns undefined where there is no `tokenizer.json`
 * @throws UserError where that is no tokenizer
 */
export function openTokenDecoder(folder: string): TokenDecoder | undefined {
  if (!existsSync(join(folder, "tokenizer.json"))) return undefined;
  return loadTokenizer(folder);
}
