/** A sequence that the model makes up, token by token. */
import seedrandom from "seedrandom";
import type { ModelConfig } from "./config.ts";
import { GrowingText } from "./growing-text.ts";
import type { Completion, CompletionProgress, CompletionRequest, TokenLogprob } from "./requests.ts";
import type { RoutingCheck } from "./routing-check.ts";
import type { RoutingLog } from "./routing-log.ts";
import { argmax, logProbability, sampleToken, topTokens } from "./sampling.ts";

export interface GeneratingOptions {
  readonly request: CompletionRequest;
  readonly config: ModelConfig;
  /** Bytes of each token of the vocabulary. */
  readonly tokenBytes: readonly Uint8Array[];
  readonly cachedPromptTokens: number;
  readonly routing: RoutingLog | undefined;
  readonly check: RoutingCheck | undefined;
  /** Told of each token but the last. */
  readonly onProgress: ((progress: CompletionProgress) => void) | undefined;
}

export class Generating {
  readonly #options: GeneratingOptions;
  readonly #text: GrowingText;
  readonly #tokenIds: number[] = [];
  readonly #logprobs: number[] = [];
  readonly #topLogprobs: TokenLogprob[][] = [];
  readonly #uniform: () => number;
  #stopped = false;

  constructor(options: GeneratingOptions) {
    this.#options = options;
    this.#text = new GrowingText(options.request.stop);
    this.#uniform = seedrandom(options.request.seed);
  }

  get routing(): RoutingLog | undefined {
    return this.#options.routing;
  }

  get check(): RoutingCheck | undefined {
    return this.#options.check;
  }

  /** The token to be run next. The prompt's last is run as if it had been generated. */
  get nextToken(): number {
    return this.#tokenIds.at(-1) ?? (this.#options.request.prompt.at(-1) as number);
  }

  /** Takes the next token from the logits at `start`. Returns true when the sequence is finished by it. */
  accept(logits: Float32Array, start: number): boolean {
    const { request, config, tokenBytes } = this.#options;
    const { vocabSize, eosTokenIds, contextLength } = config;
    const { temperature, topLogprobs = 0 } = request;
    const token =
      temperature === 0
        ? argmax(logits, start, vocabSize)
        : sampleToken(logits, start, vocabSize, temperature, this.#uniform());
    this.#tokenIds.push(token);
    if (request.logprobs) this.#logprobs.push(logProbability(logits, start, vocabSize, token));
    if (topLogprobs > 0) this.#topLogprobs.push(topTokens(logits, start, vocabSize, topLogprobs));
    const isEnd = request.ignoreEos !== true && eosTokenIds.includes(token);
    this.#stopped = isEnd || this.#text.push(tokenBytes[token] ?? new Uint8Array());
    const length = this.#tokenIds.length;
    const finished = this.#stopped || length >= request.maxTokens || request.prompt.length + length >= contextLength;
    if (!finished) this.#report();
    return finished;
  }

  result(): Completion {
    const { request, cachedPromptTokens, routing, check } = this.#options;
    const { topLogprobs = 0 } = request;
    return {
      text: this.#text.toString(),
      tokenIds: this.#tokenIds,
      finishReason: this.#stopped ? "stop" : "length",
      cachedPromptTokens,
      ...(request.logprobs ? { logprobs: this.#logprobs } : {}),
      ...(topLogprobs > 0 && { topLogprobs: this.#topLogprobs }),
      ...(routing !== undefined && { routing: routing.result() }),
      ...(check !== undefined && { invariants: check.result() }),
    };
  }

  #report(): void {
    const { onProgress } = this.#options;
    if (onProgress === undefined) return;
    const [tokenId = 0, logprob, top] = [this.#tokenIds, this.#logprobs, this.#topLogprobs].map((list) =>
      list.at(-1),
    ) as [number | undefined, number | undefined, TokenLogprob[] | undefined];
    onProgress({
      tokenId,
      text: this.#text.takeCertain(),
      ...(logprob !== undefined && { logprob }),
      ...(top !== undefined && { topLogprobs: top }),
    });
  }
}
