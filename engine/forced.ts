/** A sequence that is given, of which a part is run token by token, as if it were generated. */
import type { OutputLog } from "./output-log.ts";
import type { Score } from "./requests.ts";
import type { RoutingCheck } from "./routing-check.ts";
import type { RoutingLog } from "./routing-log.ts";
import { logProbability } from "./sampling.ts";

export class Forced {
  readonly routing: RoutingLog;
  readonly check: RoutingCheck;
  readonly outputs: OutputLog | undefined;
  readonly #tokens: readonly number[];
  readonly #vocabSize: number;
  readonly #logprobs: Float32Array;
  #position: number;

  /** @param logprobs - [T-1], filled in up to `position`, the first token to be run by itself */
  constructor(
    tokens: readonly number[],
    position: number,
    vocabSize: number,
    seen: {
      readonly logprobs: Float32Array;
      readonly routing: RoutingLog;
      readonly check: RoutingCheck;
      readonly outputs: OutputLog | undefined;
    },
  ) {
    this.#tokens = tokens;
    this.#position = position;
    this.#vocabSize = vocabSize;
    this.#logprobs = seen.logprobs;
    this.routing = seen.routing;
    this.check = seen.check;
    this.outputs = seen.outputs;
  }

  get nextToken(): number {
    return this.#tokens[this.#position] as number;
  }

  /** Takes the log-probability of the token that follows. Returns true when there is no more to be run. */
  accept(logits: Float32Array, start: number): boolean {
    const target = this.#tokens[this.#position + 1] as number;
    this.#logprobs[this.#position] = logProbability(logits, start, this.#vocabSize, target);
    this.outputs?.appendLogits(logits, start);
    this.#position += 1;
    return this.#position >= this.#tokens.length - 1;
  }

  result(): Score {
    const { routing, check, outputs } = this;
    return {
      logprobs: this.#logprobs,
      routing: routing.result(),
      invariants: check.result(),
      ...(outputs !== undefined && { outputs: outputs.result() }),
    };
  }
}
