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
import type { Completion, CompletionRequest, Score, ScoreRequest } from "./requests.ts";
import { RoutingRecorder } from "./routing-recorder.ts";
import type { FlatIndex } from "./routing/invariants.ts";
import { argmax, logProbability, sampleToken } from "./sampling.ts";

/** Tokens of one sequence per forward pass. Bounds memory: attention scores take heads * chunk * context floats. */
const PREFILL_CHUNK = 256;

/**
 * The shortest stretch worth taking from another cache.
 *
 * Attention over a single query row rounds differently from attention over several, and results must not depend on what
 * was cached or how a prompt was cut. So tokens before a prompt's last are run at least two at a time, and the last one,
 * like every generated token, is run alone.
 */
const MIN_SHARED_PREFIX = 32;

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

  complete(id: number, request: CompletionRequest): Promise<Completion> {
    return new Promise((resolve, reject) =>
      this.#enqueue({ kind: "complete", id, request, cancelled: false, resolve, reject }),
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
    if (job !== undefined) job.cancelled = true;
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
        if (job.cancelled) throw new AbortedError("aborted");
        if (job.kind === "score") this.#settle(job, await this.#score(job.request));
        else await this.#start(job);
      } catch (error) {
        this.#fail(job, error);
      }
    }
  }

  async #start(job: CompletionJob): Promise<void> {
    const { request } = job;
    const { slot, shared } = this.#claimSlot(request.prompt);
    try {
      // The last token of the prompt is run by the next step, as if it had been generated.
      const before = request.prompt.slice(0, -1);
      for (const [from, to] of stretches(shared, before.length))
        await this.#model.fill(slot.cache, before.slice(from, to));
      slot.prompt = before;
      this.#running.push({
        job,
        slot,
        text: new GrowingText(request.stop),
        tokenIds: [],
        logprobs: [],
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
    const isEnd = eosTokenIds.includes(token);
    const stopped = isEnd || sequence.text.push(this.#tokenBytes[token] ?? new Uint8Array());
    const full =
      sequence.tokenIds.length >= request.maxTokens ||
      request.prompt.length + sequence.tokenIds.length >= contextLength;
    if (!stopped && !full) return false;
    sequence.slot.busy = false;
    this.#settle(sequence.job, {
      text: sequence.text.toString(),
      tokenIds: sequence.tokenIds,
      finishReason: stopped ? "stop" : "length",
      cachedPromptTokens: sequence.cachedPromptTokens,
      ...(request.logprobs ? { logprobs: sequence.logprobs } : {}),
    });
    return true;
  }

  async #score({ tokens }: ScoreRequest): Promise<Score> {
    const recorder = new RoutingRecorder(this.#model.config, tokens.length - 1, this.#flatIndex);
    const cache = new KvCache(this.#model.config, tokens.length);
    const logprobs = new Float32Array(tokens.length - 1);
    for (const [from, to] of stretches(0, tokens.length - 1)) {
      const x = await this.#model.extend(cache, tokens.slice(from, to), recorder.observe(from));
      logprobs.set(await this.#model.logprobs(x, tokens.slice(from + 1, to + 1)), from);
    }
    return { logprobs, ...recorder.result() };
  }

  /** A free slot whose cache holds as much of the prompt as any slot's does. */
  #claimSlot(prompt: readonly number[]): { slot: Slot; shared: number } {
    const prefixes = this.#slots.map((slot) => ({ slot, length: sharedPrefix(slot.prompt, prompt) }));
    const best = prefixes.reduce((a, b) => (b.length > a.length ? b : a), {
      slot: undefined as Slot | undefined,
      length: 0,
    });
    const shared = best.length >= MIN_SHARED_PREFIX ? best.length : 0;
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

/**
 * Tokens at the start of `prompt` that can be taken over from a cache that begins with `cached`. The prompt's last token
 * never is, and a single token before it is left in company.
 */
function sharedPrefix(cached: readonly number[], prompt: readonly number[]): number {
  const needed = prompt.length - 1;
  const most = Math.min(cached.length, needed);
  let length = 0;
  while (length < most && cached[length] === prompt[length]) length++;
  return length === needed - 1 ? length - 1 : length;
}

/** Cuts `from` to `to` into stretches of at most PREFILL_CHUNK, none of them of one token where that can be helped. */
function* stretches(from: number, to: number): Generator<[number, number], void, undefined> {
  for (let start = from; start < to;) {
    const rest = to - start;
    const end = start + (rest === PREFILL_CHUNK + 1 ? PREFILL_CHUNK - 1 : Math.min(rest, PREFILL_CHUNK));
    yield [start, end];
    start = end;
  }
}
