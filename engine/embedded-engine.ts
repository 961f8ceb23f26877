/**
 * The embedded engine: a real mixture-of-experts language model in this process, whose routing is the reference chain
 * or the fused one. Work is spread over lanes, one worker thread each, with a copy of the weights in memory.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { EngineError, UserError } from "../errors.ts";
import type { ModelConfig } from "./config.ts";
import type { FromLane, LaneOptions, ToLane } from "./lane-messages.ts";
import { readModelConfig } from "./read-model-config.ts";
import type { Completion, CompletionProgress, CompletionRequest, Score, ScoreRequest } from "./requests.ts";
import type { RoutingName } from "./routing/routing.ts";
import { loadTokenizer } from "./tokenizer.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface EmbeddedEngineOptions {
  /** A checkpoint folder of the `glm4_moe` family. */
  readonly modelDir: string;
  readonly routing: RoutingName;
  /** Sequences that run at the same time, over all lanes. Default 32. */
  readonly concurrency?: number;
  /** Worker threads. Default: the processors there are, but never more than sequences. */
  readonly lanes?: number;
}

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
  readonly onProgress?: ((progress: CompletionProgress) => void) | undefined;
}

interface LaneHandle {
  readonly worker: Worker;
  readonly pending: Map<number, Pending>;
  /** Why the thread answers no more. */
  ended?: Error;
}

const DEFAULT_CONCURRENCY = 32;

export class EmbeddedEngine {
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  readonly lanes: number;
  readonly #lanes: readonly LaneHandle[];
  #nextId = 1;
  #closed = false;

  private constructor(config: ModelConfig, tokenizer: Tokenizer, lanes: readonly LaneHandle[]) {
    this.config = config;
    this.tokenizer = tokenizer;
    this.lanes = lanes.length;
    this.#lanes = lanes;
  }

  /**
   * Loads the checkpoint into every lane.
   *
   * @throws UserError when the checkpoint is missing, damaged or of another kind
   */
  static async open(options: EmbeddedEngineOptions): Promise<EmbeddedEngine> {
    const { modelDir, routing, concurrency = DEFAULT_CONCURRENCY } = options;
    const lanes = Math.min(options.lanes ?? availableParallelism(), concurrency);
    // Read before any thread starts, so that what is wrong with the folder is said once.
    const config = readModelConfig(join(modelDir, "config.json"));
    const tokenizer = loadTokenizer(modelDir);
    const maxSequences = Math.ceil(concurrency / lanes);
    const opening = Array.from({ length: lanes }, () => openLane({ modelDir, routing, maxSequences }));
    const results = await Promise.allSettled(opening);
    const failure = results.find((result) => result.status === "rejected");
    if (failure !== undefined) {
      for (const result of results) if (result.status === "fulfilled") void result.value.worker.terminate();
      throw failure.reason;
    }
    return new EmbeddedEngine(
      config,
      tokenizer,
      results.map((result) => (result as PromiseFulfilledResult<LaneHandle>).value),
    );
  }

  /**
   * Completes a prompt.
   *
   * @param onProgress - told of each token but the last as soon as there is one; the completion is the same without
   * @throws UserError for a prompt that does not fit the context; the signal's reason when it was aborted
   */
  complete(
    request: CompletionRequest,
    signal?: AbortSignal,
    onProgress?: (progress: CompletionProgress) => void,
  ): Promise<Completion> {
    const { contextLength } = this.config;
    const { length } = request.prompt;
    if (length === 0) return Promise.reject(new UserError("the prompt is empty"));
    if (length >= contextLength) {
      const reason = `the prompt has ${length} tokens, and the model's context of ${contextLength} leaves no room for an answer`;
      return Promise.reject(new UserError(reason));
    }
    const progress = onProgress !== undefined;
    return this.#ask((id) => ({ type: "complete", id, request, progress }), { signal, onProgress });
  }

  /** Scores a given token sequence, with its routing and the check of its routing data. */
  score(request: ScoreRequest, signal?: AbortSignal): Promise<Score> {
    const { contextLength } = this.config;
    const { tokens, decodeFrom = 0 } = request;
    const { length } = tokens;
    if (length < 2 || length > contextLength) {
      const reason = `a sequence to score needs 2 to ${contextLength} tokens, this one has ${length}`;
      return Promise.reject(new UserError(reason));
    }
    if (!(decodeFrom >= 0 && decodeFrom < length - 1)) {
      return Promise.reject(new UserError(`there is no token ${decodeFrom} to run by itself among ${length}`));
    }
    if (request.outputs === true && request.decodeFrom === undefined)
      return Promise.reject(
        new UserError("outputs are given of what is run token by token: say from where (decodeFrom)"),
      );
    return this.#ask((id) => ({ type: "score", id, request }), { signal });
  }

  /** Resolves when every lane has answered, between two forward passes: none is dead or stuck. EngineError when one is dead. */
  async ping(): Promise<void> {
    await Promise.all(this.#lanes.map((lane) => this.#ask((id) => ({ type: "ping", id }), { lane })));
  }

  /**
   * Ends all lanes; what is still running is rejected. A lane ends itself, once the forward pass that it is in is over:
   * onnxruntime brings the whole process down when its thread is taken away in the middle of one.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all(
      this.#lanes.map(
        ({ worker }) =>
          new Promise<void>((resolve) => {
            // A thread that ended already has no id any more.
            if (worker.threadId === -1) resolve();
            worker.once("exit", () => resolve());
            worker.postMessage({ type: "close" } satisfies ToLane);
          }),
      ),
    );
  }

  #ask<Result>(message: (id: number) => ToLane, options: AskOptions): Promise<Result> {
    const { signal, onProgress } = options;
    if (this.#closed) return Promise.reject(new EngineError("the engine is closed"));
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const lane = options.lane ?? this.#leastBusy();
    if (lane.ended !== undefined) return Promise.reject(lane.ended);
    const id = this.#nextId++;
    const { promise, resolve, reject } = withResolvers<Result>();
    const onAbort = (): void => lane.worker.postMessage({ type: "abort", id } satisfies ToLane);
    signal?.addEventListener("abort", onAbort, { once: true });
    lane.pending.set(id, {
      resolve,
      onProgress,
      reject: (error) => reject(signal?.aborted ? (signal.reason as Error) : error),
    });
    lane.worker.postMessage(message(id));
    return promise.finally(() => signal?.removeEventListener("abort", onAbort));
  }

  #leastBusy(): LaneHandle {
    const alive = this.#lanes.filter(({ ended }) => ended === undefined);
    return (alive.length > 0 ? alive : this.#lanes).reduce((a, b) => (b.pending.size < a.pending.size ? b : a));
  }
}

interface AskOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: CompletionProgress) => void) | undefined;
  /** Default: the one with the least to do. */
  readonly lane?: LaneHandle;
}

function workerEntry(): URL {
  return new URL(import.meta.url.endsWith(".ts") ? "./lane-worker.dev.mjs" : "./lane-worker.js", import.meta.url);
}

function openLane(options: LaneOptions): Promise<LaneHandle> {
  const worker = new Worker(workerEntry(), { workerData: options });
  const pending = new Map<number, Pending>();
  const lane: LaneHandle = { worker, pending };
  const { promise, resolve, reject } = withResolvers<LaneHandle>();
  const failAll = (error: Error): void => {
    reject(error);
    lane.ended ??= error;
    for (const { reject: rejectOne } of pending.values()) rejectOne(error);
    pending.clear();
  };
  const take = (id: number): Pending | undefined => {
    const request = pending.get(id);
    pending.delete(id);
    return request;
  };
  worker.on("message", (message: FromLane) => {
    switch (message.type) {
      case "ready":
        resolve(lane);
        break;
      case "progress":
        pending.get(message.id)?.onProgress?.(message.progress);
        break;
      case "cannot load":
        failAll(message.userError ? new UserError(message.message) : new EngineError(message.message));
        break;
      case "completed":
        take(message.id)?.resolve(message.completion as never);
        break;
      case "scored":
        take(message.id)?.resolve(message.score as never);
        break;
      case "pong":
        take(message.id)?.resolve(undefined as never);
        break;
      case "failed":
        take(message.id)?.reject(new EngineError(message.message));
    }
  });
  worker.on("error", (cause) => failAll(new EngineError(`an engine thread failed: ${cause.message}`, { cause })));
  worker.on("exit", () => failAll(new EngineError("an engine thread ended before its work was done")));
  return promise;
}

function withResolvers<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: Error) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
