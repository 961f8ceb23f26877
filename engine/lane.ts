/**
 * Continuous batching on one model: requests join as soon as a sequence slot is free, every step advances all running
 * sequences by one token, and a finished one leaves at once.
 *
 * A result depends on its own request alone, to the bit: not on what else runs, on the order of arrival, or on whether
 * its prefix was found in another sequence's cache.
 */
import seedrandom from "seedrandom";
import { GrowingText } from "./growing-text.ts";
import { KvCache } from "./kv-cache.ts";
import type { Model } from "./model.ts";
import { MIN_SHARED_PREFIX, sharedPrefix, stretches } from "./prompt-stretches.ts";
import type {
  Completion,
  CompletionProgress,
  CompletionRequest,
  Score,
  ScoreRequest,
  TokenLogprob,
} from "./requests.ts";
import { RoutingLog } from "./routing-log.ts";
import { RoutingRecorder } from "./routing-recorder.ts";
import type { FlatIndex } from "./routing/invariants.ts";
import type { RoutingObserver } from "./model.ts";
import { argmax, logProbability, sampleToken, topTokens } from "./sampling.ts";

/** Rows of logits at a time when a given sequence is scored with alternatives. Bounds memory: a row has a float per token of the vocabulary. */
const LOGITS_CHUNK = 32;

interface Slot {
  readonly cache: KvCache;
  /** What the cache begins with and may be shared: tokens that were not computed one by one. */
  prompt: readonly number[];
  busy: boolean;
  lastUse: number;
}

interface Running {
  readonly job: CompletionJob;
  readonly slot: Slot;
  readonly text: GrowingText;
  readonly tokenIds: number[];
  readonly logprobs: number[];
  readonly topLogprobs: TokenLogprob[][];
  readonly routing?: RoutingLog;
  readonly uniform: () => number;
  readonly cachedPromptTokens: number;
}

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
  readonly #slots: Slot[] = [];
  readonly #waiting: Job[] = [];
  readonly #jobs = new Map<number, Job>();
  #running: Running[] = [];
  #clock = 0;
  #looping = false;

  constructor(
    model: Model,
    tokenBytes: readonly Uint8Array[],
    options: { readonly maxSequences: number; readonly flatIndex: FlatIndex },
  ) {
    this.#model = model;
    this.#tokenBytes = tokenBytes;
    this.#maxSequences = options.maxSequences;
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
    const running = this.#running.filter((sequence) => sequence.job.cancelled);
    for (const { job, slot } of running) {
      slot.busy = false;
      this.#fail(job, new AbortedError("aborted"));
    }
    if (running.length > 0) this.#running = this.#running.filter((sequence) => !sequence.job.cancelled);
  }

  async #admit(): Promise<void> {
    while (this.#running.length < this.#maxSequences) {
      const job = this.#waiting.shift();
      if (job === undefined) return;
      try {
        if (job.kind === "score") this.#settle(job, await this.#score(job));
        else await this.#start(job);
      } catch (error) {
        this.#fail(job, error);
      }
    }
  }

  async #start(job: CompletionJob): Promise<void> {
    const { request } = job;
    throwIfCancelled(job);
    const routing = request.routing === true ? new RoutingLog(this.#model.config) : undefined;
    const { slot, shared } = this.#claimSlot(request.prompt, routing === undefined);
    try {
      // The last token of the prompt is run by the next step, as if it had been generated.
      const before = request.prompt.slice(0, -1);
      for (const [from, to] of stretches(shared, before.length)) {
        throwIfCancelled(job);
        const tokens = before.slice(from, to);
        if (routing === undefined) await this.#model.fill(slot.cache, tokens);
        else await this.#model.extend(slot.cache, tokens, routing.observe);
      }
      slot.prompt = before;
      this.#running.push({
        job,
        slot,
        text: new GrowingText(request.stop),
        tokenIds: [],
        logprobs: [],
        topLogprobs: [],
        ...(routing !== undefined && { routing }),
        uniform: seedrandom(request.seed),
        cachedPromptTokens: shared,
      });
    } catch (error) {
      slot.busy = false;
      throw error;
    }
  }

  /** One decode step for all running sequences. An engine failure here fails them all: none has a sound cache any more. */
  async #step(): Promise<void> {
    const sequences = this.#running;
    try {
      const x = await this.#model.step(
        sequences.map(({ slot }) => slot.cache),
        sequences.map(({ job, tokenIds }) => tokenIds.at(-1) ?? (job.request.prompt.at(-1) as number)),
        observerOf(sequences),
      );
      const logits = await this.#model.logits(x);
      this.#running = sequences.filter((sequence, row) => !this.#accept(sequence, logits, row));
    } catch (error) {
      this.#running = [];
      for (const { job, slot } of sequences) {
        slot.busy = false;
        slot.prompt = [];
        this.#fail(job, error);
      }
    }
  }

  /** Takes the next token of a sequence from its row of logits. Returns true when the sequence is finished by it. */
  #accept(sequence: Running, logits: Float32Array, row: number): boolean {
    const { vocabSize, eosTokenIds, contextLength } = this.#model.config;
    const { request } = sequence.job;
    const start = row * vocabSize;
    const token =
      request.temperature === 0
        ? argmax(logits, start, vocabSize)
        : sampleToken(logits, start, vocabSize, request.temperature, sequence.uniform());
    sequence.tokenIds.push(token);
    if (request.logprobs) sequence.logprobs.push(logProbability(logits, start, vocabSize, token));
    const { topLogprobs = 0 } = request;
    if (topLogprobs > 0) sequence.topLogprobs.push(topTokens(logits, start, vocabSize, topLogprobs));
    const isEnd = request.ignoreEos !== true && eosTokenIds.includes(token);
    const stopped = isEnd || sequence.text.push(this.#tokenBytes[token] ?? new Uint8Array());
    const full =
      sequence.tokenIds.length >= request.maxTokens ||
      request.prompt.length + sequence.tokenIds.length >= contextLength;
    if (!stopped && !full) {
      reportProgress(sequence);
      return false;
    }
    sequence.slot.busy = false;
    this.#settle(sequence.job, {
      text: sequence.text.toString(),
      tokenIds: sequence.tokenIds,
      finishReason: stopped ? "stop" : "length",
      cachedPromptTokens: sequence.cachedPromptTokens,
      ...(request.logprobs ? { logprobs: sequence.logprobs } : {}),
      ...(topLogprobs > 0 && { topLogprobs: sequence.topLogprobs }),
      ...(sequence.routing !== undefined && { routing: sequence.routing.result() }),
    });
    return true;
  }

  async #score(job: ScoreJob): Promise<Score> {
    const { tokens, topLogprobs: k = 0 } = job.request;
    const recorder = new RoutingRecorder(this.#model.config, tokens.length - 1, this.#flatIndex);
    const cache = new KvCache(this.#model.config, tokens.length);
    const logprobs = new Float32Array(tokens.length - 1);
    const topLogprobs: TokenLogprob[][] = [];
    for (const [from, to] of stretches(0, tokens.length - 1)) {
      throwIfCancelled(job);
      const x = await this.#model.extend(cache, tokens.slice(from, to), recorder.observe(from));
      const targets = tokens.slice(from + 1, to + 1);
      logprobs.set(await this.#model.logprobs(x, targets), from);
      if (k > 0) topLogprobs.push(...(await this.#topTokens(x, targets, logprobs.subarray(from, to), k)));
    }
    return { logprobs, ...(k > 0 && { topLogprobs }), ...recorder.result() };
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

  /** A free slot whose cache holds as much of the prompt as any slot's does, or none of it where it may not `share`. */
  #claimSlot(prompt: readonly number[], share: boolean): { slot: Slot; shared: number } {
    const prefixes = this.#slots.map((slot) => ({ slot, length: sharedPrefix(slot.prompt, prompt) }));
    const best = prefixes.reduce((a, b) => (b.length > a.length ? b : a), {
      slot: undefined as Slot | undefined,
      length: 0,
    });
    const shared = share && best.length >= MIN_SHARED_PREFIX ? best.length : 0;
    const own = best.slot !== undefined && !best.slot.busy && shared > 0 ? best.slot : undefined;
    const slot = own ?? this.#freeSlot();
    if (shared > 0 && slot !== best.slot) slot.cache.copyPrefix((best.slot as Slot).cache, shared);
    slot.cache.length = shared;
    slot.prompt = prompt.slice(0, shared);
    slot.busy = true;
    this.#clock += 1;
    slot.lastUse = this.#clock;
    return { slot, shared };
  }

  #freeSlot(): Slot {
    const free = this.#slots.filter((slot) => !slot.busy);
    if (this.#slots.length < this.#maxSequences) {
      const slot = {
        cache: new KvCache(this.#model.config, this.#model.config.contextLength),
        prompt: [],
        busy: false,
        lastUse: 0,
      };
      this.#slots.push(slot);
      return slot;
    }
    return free.reduce((a, b) => (b.lastUse < a.lastUse ? b : a));
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

/** Hands each sequence that notes its routing its own row of a forward pass. */
function observerOf(sequences: readonly Running[]): RoutingObserver | undefined {
  if (sequences.every(({ routing }) => routing === undefined)) return undefined;
  return (layer, input) => {
    for (const [row, { routing }] of sequences.entries()) routing?.append(layer, input, row);
  };
}

function reportProgress({ job, tokenIds, logprobs, topLogprobs, text }: Running): void {
  if (job.onProgress === undefined) return;
  const [tokenId = 0, logprob, top] = [tokenIds.at(-1), logprobs.at(-1), topLogprobs.at(-1)];
  job.onProgress({
    tokenId,
    text: text.takeCertain(),
    ...(logprob !== undefined && { logprob }),
    ...(top !== undefined && { topLogprobs: top }),
  });
}
