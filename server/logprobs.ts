/** Log-probabilities as the completions API and the chat API have them. */
import type { TokenLogprob } from "../engine/requests.ts";
import type { PieceToken } from "./generate.ts";
import type { Vocabulary } from "./vocabulary.ts";

export interface CompletionLogprobs {
  readonly tokens: readonly string[];
  readonly token_logprobs: readonly (number | null)[];
  /** By token, the token itself among them. Null for a prompt's first token. */
  readonly top_logprobs: readonly (Readonly<Record<string, number>> | null)[];
  /** Where the token begins, in characters (Unicode code points) of the choice's text. */
  readonly text_offset: readonly number[];
}

/** Writes the tokens of one choice, in whatever pieces they come. */
export class CompletionLogprobsWriter {
  readonly #vocabulary: Vocabulary;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #offset = 0;

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
  }

  write(echoed: readonly PieceToken[], generated: readonly PieceToken[]): CompletionLogprobs {
    const { name, nameBytes, textBytes } = this.#vocabulary;
    const all = [...echoed, ...generated];
    const offsets = [
      ...echoed.map(({ tokenId }) => this.#pass(nameBytes(tokenId))),
      ...generated.map(({ tokenId }) => this.#pass(textBytes(tokenId))),
    ];
    return {
      tokens: all.map(({ tokenId }) => name(tokenId)),
      token_logprobs: all.map(({ logprob }) => logprob ?? null),
      top_logprobs: all.map((token) => this.#top(token)),
      text_offset: offsets,
    };
  }

  #top({ tokenId, logprob, topLogprobs = [] }: PieceToken): Record<string, number> | null {
    if (logprob === undefined) return null;
    // The token itself last: another token of the same name must not stand for it.
    const candidates = [...topLogprobs, { tokenId, logprob }];
    return Object.fromEntries(candidates.map((each) => [this.#vocabulary.name(each.tokenId), each.logprob]));
  }

  /** Where these bytes begin; a character counts once it is whole. */
  #pass(bytes: Uint8Array): number {
    const offset = this.#offset;
    for (const _ of this.#decoder.decode(bytes, { stream: true })) this.#offset++;
    return offset;
  }
}

interface ChatToken {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
}

export interface ChatLogprobs {
  readonly content: readonly (ChatToken & { readonly top_logprobs: readonly ChatToken[] })[];
  readonly refusal: null;
}

export function chatLogprobs(vocabulary: Vocabulary, tokens: readonly PieceToken[]): ChatLogprobs {
  const shown = ({ tokenId, logprob }: TokenLogprob): ChatToken => ({
    token: vocabulary.name(tokenId),
    logprob,
    bytes: [...vocabulary.nameBytes(tokenId)],
  });
  const content = tokens.map(({ tokenId, logprob = 0, topLogprobs = [] }) => ({
    ...shown({ tokenId, logprob }),
    top_logprobs: topLogprobs.map(shown),
  }));
  return { content, refusal: null };
}
