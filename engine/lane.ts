/**
 * Continuous batching on one model: requests join as soon as a sequence slot is free, every step advances all running
 * sequences by one token, and a finished one leaves at once.
 *
 * A result depends on its own request alone, to the bit: not on what else runs, on the order of arrival, or on whether
 * its prefix was found in another sequence's cache.
 */
import { Forced } from "./forced.ts";
import { Generating } from "./generating.ts";
import { KvCache } from "./kv-cache.ts";
import type { Model, OutputObserver, PassObserver } from "./model.ts";
import { OutputLog } from "./output-log.ts";
import { stretches } from "./prompt-stretches.ts";
import type {
  Completion,
  CompletionProgress,
  CompletionRequest,
  Score,
  ScoreRequest,
  TokenLogprob,
} from "./requests.ts";
import { checkPass, RoutingCheck } from "./routing-check.ts";
import { RoutingLog } from "./routing-log.ts";
import type { FlatIndex } from "./routing/invariants.ts";
import { topTokens } from "./sampling.ts";
import { Slots } from "./slots.ts";
import type { Slot } from "./slots.ts";

/** Rows of logits at a time when a given sequence is scored with alternatives. Bounds memory: a row has a float per token of the vocabulary. */
const LOGITS_CHUNK = 32;

/** A sequence that every step advances by one token. */
type Running = { readonly slot: Slot } & (
  | { readonly job: CompletionJob; readonly sequence: Generating }
  | { readonly job: ScoreJob; readonly sequence: Forced }
);

interface JobBase {
  readonly id: number;
  cancelled: boolean;
}
interface CompletionJob extends JobBase {
  readonly kind: "complete";
  readonly request: CompletionRequest;
  /** Told of each token but the last. */
  readonly onProgress: ((progress: CompletionProgress) => void) | undefined;
  readonly resolve: (completion: Completion) => void;
  readonly reject: (error: unknown) => void;
}
interface ScoreJob extends JobBase {
  readonly kind: "score";
  readonly request: ScoreRequest;
  readonly resolve: (score: Score) => void;
  readonly reject: (error: unknown) => void;
}
type Job = CompletionJob | ScoreJob;

/** Why a request ended without a result: its caller cancelled it. */
export class AbortedError extends Error {
  override name = "AbortedError";
}

export class Lane {
  readonly #model: Model;
  readonly #tokenBytes: readonly Uint8Array[];
  readonly #flatIndex: FlatIndex;
  readonly #maxSequences: number;
  readonly #slots: Slots;
  readonly #waiting: Job[] = [];
  readonly #jobs = new Map<number, Job>();
  #running: Running[] = [];
  #looping = false;

  constructor(
    model: Model,
    tokenBytes: readonly Uint8Array[],
    options: { readonly maxSequences: number; readonly flatIndex: FlatIndex },
  ) {
    this.#model = model;
    this.#tokenBytes = tokenBytes;
    this.#maxSequences = options.maxSequences;
    this.#slots = new Slots(model.config, options.maxSequences);
    this.#flatIndex = options.flatIndex;
  }

  complete(
    id: number,
    request: CompletionRequest,
    onProgress?: (progress: CompletionProgress) => void,
  ): Promise<Completion> {
    return new Promise((resolve, reject) =>
      this.#enqueue({ kind: "complete", id, request, onProgress, cancelled: false, resolve, reject }),
    );
  }

  score(id: number, request: ScoreRequest): Promise<Score> {
    return new Promise((resolve, reject) =>
      this.#enqueue({ kind: "score", id, request, cancelled: false, resolve, reject }),
    );
  }

  /** Ends a request before its time; its promise rejects with an AbortedError. Unknown ids are ignored. */
  abort(id: number): void {
    const job = this.#jobs.get(id);
    if (job === undefined) return;
    job.cancelled = true;
    // One that waits need not wait for a free slot to be told.
    const place = this.#waiting.indexOf(job);
    if (place === -1) return;
    this.#waiting.splice(place, 1);
    this.#fail(job, new AbortedError("aborted"));
  }

  #enqueue(job: Job): void {
    this.#jobs.set(job.id, job);
    this.#waiting.push(job);
    if (!this.#looping) void this.#loop();
  }

  async #loop(): Promise<void> {
    this.#looping = true;
    while (this.#waiting.length > 0 || this.#running.length > 0) {
      this.#dropCancelled();
      await this.#admit();
      if (this.#running.length > 0) await this.#step();
    }
    this.#looping = false;
  }

  #dropCancelled(): void {
    const running = this.#running.filter(({ job }) => job.cancelled);
    for (const { job, slot } of running) {
      slot.busy = false;
      this.#fail(job, new AbortedError("aborted"));
    }
    if (running.length > 0) this.#running = this.#running.filter(({ job }) => !job.cancelled);
  }

  async #admit(): Promise<void> {
    while (this.#running.length < this.#maxSequences) {
      const job = this.#waiting.shift();
      if (job === undefined) return;
      try {
        if (job.kind === "complete") await this.#start(job);
        else if (job.request.decodeFrom === undefined) this.#settle(job, await this.#score(job));
        else await this.#startForced(job, job.request.decodeFrom);
      } catch (error) {
        this.#fail(job, error);
      }
    }
  }

  async #start(job: CompletionJob): Promise<void> {
    const { request, onProgress } = job;
    throwIfCancelled(job);
    const routing = request.routing === true ? new RoutingLog(this.#model.config) : undefined;
    const check = request.checkRouting === true ? new RoutingCheck() : undefined;
    const { slot, shared } = this.#slots.claim(request.prompt, routing === undefined);
    try {
      // The last token of the prompt is run by the next step, as if it had been generated.
      const before = request.prompt.slice(0, -1);
      for (const [from, to] of stretches(shared, before.length)) {
        throwIfCancelled(job);
        const tokens = before.slice(from, to);
        if (routing === undefined) await this.#model.fill(slot.cache, tokens);
        else
          await this.#model.extend(slot.cache, tokens, { routing: (layer, input) => routing.appendAll(layer, input) });
      }
      slot.prompt = before;
      const shape = { config: this.#model.config, tokenBytes: this.#tokenBytes, cachedPromptTokens: shared };
      this.#running.push({
        job,
        slot,
        sequence: new Generating({ request, ...shape, routing, check, onProgress }),
      });
    } catch (error) {
      slot.busy = false;
      throw error;
    }
  }

  async #startForced(job: ScoreJob, decodeFrom: number): Promise<void> {
    throwIfCancelled(job);
    const { tokens } = job.request;
    const { slot } = this.#slots.claim(tokens, false);
    try {
      const seen = await this.#scorePrompt(job, slot.cache, decodeFrom);
      slot.prompt = tokens.slice(0, decodeFrom);
      this.#running.push({ job, slot, sequence: new Forced(tokens, decodeFrom, this.#model.config.vocabSize, seen) });
    } catch (error) {
      slot.busy = false;
      throw error;
    }
  }

  /** One decode step for all running sequences. An engine failure here fails them all: none has a sound cache any more. */
  async #step(): Promise<void> {
    const running = this.#running;
    const { vocabSize } = this.#model.config;
    try {
      const x = await this.#model.step(
        running.map(({ slot }) => slot.cache),
        running.map(({ sequence }) => sequence.nextToken),
        this.#observerOf(running),
      );
      const logits = await this.#model.logits(x);
      this.#running = running.filter((each, row) => {
        if (!each.sequence.accept(logits, row * vocabSize)) return true;
        each.slot.busy = false;
        if (each.job.kind === "complete") this.#settle(each.job, each.sequence.result() as Completion);
        else this.#settle(each.job, each.sequence.result() as Score);
        return false;
      });
    } catch (error) {
      this.#running = [];
      for (const { job, slot } of running) {
        slot.busy = false;
        slot.prompt = [];
        this.#fail(job, error);
      }
    }
  }

  /** Hands each sequence that notes its routing its own row of a step, and checks the step for those that want it. */
  #observerOf(running: readonly Running[]): PassObserver | undefined {
    const checks = running.flatMap(({ sequence: { check } }) => check ?? []);
    if (checks.length === 0 && running.every(({ sequence: { routing } }) => routing === undefined)) return undefined;
    return {
      routing: (layer, input, data) => {
        for (const [row, { sequence }] of running.entries()) sequence.routing?.append(layer, input, row);
        checkPass(checks, input.nExpertsAct, layer, input, data, this.#flatIndex);
      },
      output: (layer, y) => {
        for (const [row, { sequence }] of running.entries())
          if (sequence instanceof Forced) sequence.outputs?.append(layer, y, row, 1);
      },
    };
  }

  async #score(job: ScoreJob): Promise<Score> {
    const { tokens, topLogprobs: k = 0 } = job.request;
    const topLogprobs: TokenLogprob[][] = [];
    const cache = new KvCache(this.#model.config, tokens.length);
    const { logprobs, routing, check } = await this.#scorePrompt(
      job,
      cache,
      tokens.length - 1,
      async (x, from, found) => {
        if (k > 0)
          topLogprobs.push(...(await this.#topTokens(x, tokens.slice(from + 1, from + 1 + found.length), found, k)));
      },
    );
    return {
      logprobs,
      ...(k > 0 && { topLogprobs }),
      routing: routing.result(),
      invariants: check.result(),
    };
  }

  /** Runs the first `count` tokens as a prompt. `onStretch` sees what came of each stretch of them. */
  async #scorePrompt(
    job: ScoreJob,
    cache: KvCache,
    count: number,
    onStretch?: (x: Float32Array, from: number, logprobs: Float32Array) => Promise<void>,
  ): Promise<{ logprobs: Float32Array; routing: RoutingLog; check: RoutingCheck; outputs: OutputLog | undefined }> {
    const { tokens } = job.request;
    const outputs = job.request.outputs === true ? new OutputLog(this.#model.config) : undefined;
    const routing = new RoutingLog(this.#model.config);
    const check = new RoutingCheck();
    const output: OutputObserver | undefined =
      outputs && ((layer, y) => outputs.append(layer, y, 0, y.length / this.#model.config.hiddenSize));
    const observe: PassObserver = {
      output,
      routing: (layer, input, data) => {
        routing.appendAll(layer, input);
        checkPass([check], input.topkIds.length, layer, input, data, this.#flatIndex);
      },
    };
    const logprobs = new Float32Array(tokens.length - 1);
    for (const [from, to] of stretches(0, count)) {
      throwIfCancelled(job);
      const x = await this.#model.extend(cache, tokens.slice(from, to), observe);
      logprobs.set(await this.#model.logprobs(x, tokens.slice(from + 1, to + 1)), from);
      await onStretch?.(x, from, logprobs.subarray(from, to));
    }
    return { logprobs, routing, check, outputs };
  }

  /** The likeliest tokens after each row of x; where the target is among them, with its own log-probability. */
  async #topTokens(
    x: Float32Array,
    targets: readonly number[],
    logprobs: Float32Array,
    k: number,
  ): Promise<TokenLogprob[][]> {
    const { hiddenSize, vocabSize } = this.#model.config;
    const found: TokenLogprob[][] = [];
    for (let row = 0; row < targets.length; row += LOGITS_CHUNK) {
      const rows = Math.min(LOGITS_CHUNK, targets.length - row);
      const logits = await this.#model.logits(x.subarray(row * hiddenSize, (row + rows) * hiddenSize));
      for (let i = 0; i < rows; i++) {
        const top = topTokens(logits, i * vocabSize, vocabSize, k);
        const own = { tokenId: targets[row + i] as number, logprob: logprobs[row + i] as number };
        found.push(top.map((candidate) => (candidate.tokenId === own.tokenId ? own : candidate)));
      }
    }
    return found;
  }

  #settle<Result>(job: { readonly id: number; readonly resolve: (result: Result) => void }, result: Result): void {
    this.#jobs.delete(job.id);
    job.resolve(result);
  }

  #fail(job: Job, error: unknown): void {
    this.#jobs.delete(job.id);
    job.reject(error);
  }
}

function throwIfCancelled({ cancelled }: Job): void {
  if (cancelled) throw new AbortedError("aborted");
}
