/** Runs one choice of a request on the engine and hands it on in pieces: one, or one per token. */
import type { EmbeddedEngine } from "../engine/embedded-engine.ts";
import type { Completion, CompletionRequest, RoutingCapture, TokenLogprob } from "../engine/requests.ts";
import type { PromptTokens } from "./prompts.ts";

/** One answer to one prompt. */
export interface Choice {
  /** Its number in the response. */
  readonly index: number;
  readonly prompt: PromptTokens;
  /** Undefined where nothing is to be generated. */
  readonly request: CompletionRequest | undefined;
  /** The prompt is given back too. */
  readonly echo: boolean;
  /** Alternatives per token; undefined where no log-probabilities are asked for. */
  readonly topLogprobs: number | undefined;
  readonly routing: boolean;
}

export interface PieceToken {
  readonly tokenId: number;
  /** Undefined for a prompt's first token, which follows nothing, and where none are asked for. */
  readonly logprob?: number | undefined;
  readonly topLogprobs?: readonly TokenLogprob[] | undefined;
}

export interface Piece {
  /** The piece is the first of its choice. */
  readonly first: boolean;
  /** The echoed prompt's tokens, in the first piece. */
  readonly echoed?: readonly PieceToken[];
  readonly text: string;
  readonly tokens: readonly PieceToken[];
  /** The piece is the last of its choice. */
  readonly end?: {
    readonly finishReason: Completion["finishReason"];
    readonly completionTokens: number;
    readonly routing: RoutingCapture | undefined;
  };
}

/**
 * @param emit - takes what is certain, token by token; without it, all comes in the one piece that is returned
 * @returns the last piece
 */
export async function runChoice(
  engine: EmbeddedEngine,
  choice: Choice,
  signal: AbortSignal,
  emit?: (piece: Piece) => void,
): Promise<Piece> {
  const { request, prompt } = choice;
  const { echo, routing } = await beforeGeneration(engine, choice, signal);
  let sentTokens = 0;
  let sentCharacters = 0;
  const start = (): Pick<Piece, "first" | "echoed"> => ({
    first: sentTokens === 0,
    ...(sentTokens === 0 && echo !== undefined && { echoed: echo }),
  });
  const echoText = choice.echo ? prompt.text : "";
  if (request === undefined) {
    const end = { finishReason: "length", completionTokens: 0, routing } as const;
    return { ...start(), text: echoText, tokens: [], end };
  }
  const withEcho = (text: string): string => (sentTokens === 0 ? echoText + text : text);
  const completion = await engine.complete(
    request,
    signal,
    emit &&
      (({ text, ...token }) => {
        emit({ ...start(), text: withEcho(text), tokens: [token] });
        sentTokens++;
        sentCharacters += text.length;
      }),
  );
  const { text, finishReason, tokenIds } = completion;
  return {
    ...start(),
    text: withEcho(text.slice(sentCharacters)),
    tokens: tokensOf(completion).slice(sentTokens),
    end: { finishReason, completionTokens: tokenIds.length, routing: completion.routing },
  };
}

/** Scores the prompt where its log-probabilities are asked for, or its routing and nothing is generated that has it. */
async function beforeGeneration(
  engine: EmbeddedEngine,
  { prompt, request, echo, topLogprobs, routing }: Choice,
  signal: AbortSignal,
): Promise<{ readonly echo?: readonly PieceToken[]; readonly routing: RoutingCapture | undefined }> {
  const { ids } = prompt;
  const scored = echo && topLogprobs !== undefined;
  const captured = routing && request === undefined;
  const bare = echo ? { echo: ids.map((tokenId) => ({ tokenId })) } : {};
  if (ids.length < 2 || !(scored || captured)) return { ...bare, routing: undefined };
  const score = await engine.score({ tokens: ids, ...(scored && { topLogprobs: topLogprobs ?? 0 }) }, signal);
  const own = captured ? score.routing : undefined;
  if (!scored) return { ...bare, routing: own };
  const tokens = ids.map((tokenId, i) => ({
    tokenId,
    logprob: score.logprobs[i - 1],
    topLogprobs: i === 0 ? undefined : (score.topLogprobs?.[i - 1] ?? []),
  }));
  return { echo: tokens, routing: own };
}

function tokensOf({ tokenIds, logprobs, topLogprobs }: Completion): PieceToken[] {
  return tokenIds.map((tokenId, i) => ({ tokenId, logprob: logprobs?.[i], topLogprobs: topLogprobs?.[i] }));
}
