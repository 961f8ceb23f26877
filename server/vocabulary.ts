/** How tokens are shown to clients. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { tokenBytes } from "../engine/token-bytes.ts";
import type { Tokenizer } from "../engine/tokenizer.ts";

export interface Vocabulary {
  /** Bytes of the longest token as it is written: a text of more bytes than n times this has more than n tokens. */
  readonly longest: number;
  /** What the token adds to a completion's text: nothing, for a special one. */
  readonly textBytes: (id: number) => Uint8Array;
  /** What it was in a prompt's text: special ones stand there by name. */
  readonly nameBytes: (id: number) => Uint8Array;
  /** Its text, or its bytes as OpenAI writes them where they are not whole characters: `bytes:\xe2\x82`. */
  readonly name: (id: number) => string;
}

const NO_BYTES = new Uint8Array();

export function openVocabulary(modelDir: string, tokenizer: Tokenizer): Vocabulary {
  const path = join(modelDir, "tokenizer.json");
  const bytes = tokenBytes(readFileSync(path, "utf8"), path);
  const names = new Map<number, string>();
  const encoder = new TextEncoder();
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  for (const [id, text] of bytes.entries()) {
    if (text !== undefined && text.length === 0) names.set(id, tokenizer.nameOf(id));
  }
  const textBytes = (id: number): Uint8Array => bytes[id] ?? NO_BYTES;
  const nameBytes = (id: number): Uint8Array => {
    const special = names.get(id);
    return special === undefined ? textBytes(id) : encoder.encode(special);
  };
  const longest = bytes.reduce((most, _, id) => Math.max(most, nameBytes(id).length), 1);
  return {
    longest,
    textBytes,
    nameBytes,
    name(id) {
      // A model may have more rows than its tokenizer has tokens.
      if (bytes[id] === undefined) return `<${id}>`;
      try {
        return strict.decode(nameBytes(id));
      } catch {
        return `bytes:${Array.from(textBytes(id), (byte) => String.raw`\x${byte.toString(16).padStart(2, "0")}`).join("")}`;
      }
    },
  };
}

/** The text of tokens in a prompt. */
export function promptText(vocabulary: Vocabulary, ids: readonly number[]): string {
  return Buffer.concat(ids.map((id) => vocabulary.nameBytes(id))).toString("utf8");
}
