/** The bytes behind each token id of a byte-level BPE tokenizer, so that text can be watched for stop strings as it grows. */
import { UserError } from "../errors.ts";

/**
 * Byte-level BPE writes each byte as one visible character: printable Latin-1 characters stand for themselves and the
 * other 68 byte values are counted up from U+0100 (the alphabet that GPT-2 introduced and all its kin use).
 */
function byteAlphabet(): Map<string, number> {
  const alphabet = new Map<string, number>();
  let next = 256;
  for (let byte = 0; byte < 256; byte++) {
    const visible = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    alphabet.set(String.fromCodePoint(visible ? byte : next++), byte);
  }
  return alphabet;
}

interface TokenizerJson {
  readonly model?: { readonly type?: unknown; readonly vocab?: Readonly<Record<string, number>> };
  readonly added_tokens?: readonly { readonly id: number; readonly content: string; readonly special: boolean }[];
}

/**
 * @param json - the text of `tokenizer.json`
 * @param where - its path, for messages
 * @returns bytes by token id; special tokens are empty, since they are not text
 */
export function tokenBytes(json: string, where: string): readonly Uint8Array[] {
  let tokenizer: TokenizerJson;
  try {
    tokenizer = JSON.parse(json) as TokenizerJson;
  } catch (cause) {
    throw new UserError(`${where}: not valid JSON (${(cause as Error).message})`, { cause });
  }
  const vocab = tokenizer.model?.vocab;
  if (tokenizer.model?.type !== "BPE" || typeof vocab !== "object") {
    throw new UserError(`${where}: the embedded engine needs a byte-level BPE tokenizer`);
  }
  const alphabet = byteAlphabet();
  const bytes: Uint8Array[] = [];
  for (const [token, id] of Object.entries(vocab)) {
    const values = Array.from(token, (character) => alphabet.get(character));
    if (values.includes(undefined)) throw new UserError(`${where}: token "${token}" is not written in byte-level form`);
    bytes[id] = Uint8Array.from(values as number[]);
  }
  const encoder = new TextEncoder();
  for (const { id, content, special } of tokenizer.added_tokens ?? []) {
    bytes[id] = special ? new Uint8Array() : encoder.encode(content);
  }
  return bytes;
}
