/** Forward passes of a Glm4Moe model over key-value caches: a stretch of one sequence, or one token of each of many. */
import ort from "onnxruntime-node";
import type { Checkpoint } from "./checkpoint.ts";
import { concat } from "./concat.ts";
import type { ModelConfig } from "./config.ts";
import {
  attentionInputGraph,
  attentionOutputGraph,
  decodeAttentionGraph,
  expertsGraph,
  logitsGraph,
  logprobsGraph,
  prefillAttentionGraph,
} from "./graphs.ts";
import type { KvCache } from "./kv-cache.ts";
import { routingFeeds } from "./routing-feeds.ts";
import type { RoutingData, RoutingImplementation, RoutingInput } from "./routing/routing-data.ts";
import { selectExperts } from "./routing/select-experts.ts";
import type { Selection } from "./routing/select-experts.ts";

type Session = ort.InferenceSession;
const { InferenceSession, Tensor } = ort;

/** Sees every routing decision of a forward pass: what was selected and what was made of it. */
export type RoutingObserver = (layer: number, input: RoutedInput, data: RoutingData) => void;

/** Sees what a MoE layer gives out in a forward pass: y [rows, H]. */
export type OutputObserver = (layer: number, y: Float32Array) => void;

/** What is seen of a forward pass. */
export interface PassObserver {
  readonly routing: RoutingObserver;
  readonly output?: OutputObserver | undefined;
}

/** What was selected, as it goes into the making of routing data, with the router margins. */
export type RoutedInput = RoutingInput & Selection;

interface Layer {
  readonly attentionInput: Session;
  readonly attentionOutput: Session;
  readonly experts?: Session;
  readonly correctionBias?: Float32Array;
}

/**
 * One intra-op thread per session: work is parallel over sequences (one model per worker thread), which scales better
 * than splitting matrices this small, and leaves no thread spinning between calls.
 */
const SESSION_OPTIONS: ort.InferenceSession.SessionOptions = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  logSeverityLevel: 3,
};

export class Model {
  readonly config: ModelConfig;
  readonly #embedding: Float32Array;
  readonly #layers: readonly Layer[];
  readonly #logits: Session;
  readonly #logprobs: Session;
  readonly #prefill: Session;
  readonly #prefillPast: Session;
  readonly #decode = new Map<number, Session>();
  readonly #routing: RoutingImplementation;

  private constructor(
    config: ModelConfig,
    routing: RoutingImplementation,
    embedding: Float32Array,
    layers: readonly Layer[],
    sessions: { logits: Session; logprobs: Session; prefill: Session; prefillPast: Session },
  ) {
    this.config = config;
    this.#routing = routing;
    this.#embedding = embedding;
    this.#layers = layers;
    this.#logits = sessions.logits;
    this.#logprobs = sessions.logprobs;
    this.#prefill = sessions.prefill;
    this.#prefillPast = sessions.prefillPast;
  }

  /** Builds every graph from the checkpoint. The checkpoint may be closed afterwards. */
  static async load(checkpoint: Checkpoint, routing: RoutingImplementation): Promise<Model> {
    const { config } = checkpoint;
    const session = (graph: Uint8Array): Promise<Session> => InferenceSession.create(graph, SESSION_OPTIONS);
    const layers: Layer[] = [];
    for (let layer = 0; layer < config.nLayers; layer++) {
      const dense = {
        attentionInput: await session(attentionInputGraph(checkpoint, layer)),
        attentionOutput: await session(attentionOutputGraph(checkpoint, layer)),
      };
      if (layer < config.moe.firstDenseLayers) {
        layers.push(dense);
        continue;
      }
      const experts = await session(expertsGraph(checkpoint, layer));
      const biasName = `model.layers.${layer}.mlp.gate.e_score_correction_bias`;
      layers.push({ ...dense, experts, correctionBias: checkpoint.tensor(biasName, [config.moe.nExpertsTot]) });
    }
    const embedding = checkpoint.tensor("model.embed_tokens.weight", [config.vocabSize, config.hiddenSize]);
    const sessions = {
      logits: await session(logitsGraph(checkpoint)),
      logprobs: await session(logprobsGraph(checkpoint)),
      prefill: await session(prefillAttentionGraph(config, false)),
      prefillPast: await session(prefillAttentionGraph(config, true)),
    };
    checkpoint.checkAllUsed();
    return new Model(config, routing, embedding, layers, sessions);
  }

  /**
   * Runs `tokens` of one sequence, which follow what `cache` holds, and appends them to it.
   *
   * @returns the last layer's output for each token, [tokens, H]
   */
  async extend(cache: KvCache, tokens: ArrayLike<number>, observe?: PassObserver): Promise<Float32Array> {
    const x = await this.#prompt(cache, tokens, this.#layers, observe);
    cache.length += tokens.length;
    return x.data as Float32Array;
  }

  /**
   * Appends `tokens` of one sequence to its cache, for the sake of what follows them. The last layer then needs their
   * keys and values alone: its attention and its experts are not run.
   */
  async fill(cache: KvCache, tokens: ArrayLike<number>): Promise<void> {
    const x = await this.#prompt(cache, tokens, this.#layers.slice(0, -1));
    const { attentionInput } = this.#layers.at(-1) as Layer;
    const positions = positionTensor(consecutive(cache.length, tokens.length));
    const projected = await attentionInput.run({ x, positions }, ["k", "v"]);
    const [k, v] = [output(projected, "k"), output(projected, "v")];
    cache.write(this.#layers.length - 1, k, v, 0, tokens.length, cache.length);
    cache.length += tokens.length;
  }

  /**
   * Runs the next token of each of several sequences and appends it to its cache.
   *
   * @param observe - sees the routing and the outputs of all of them, one row each
   * @returns [sequences, H]
   */
  async step(caches: readonly KvCache[], tokens: ArrayLike<number>, observe?: PassObserver): Promise<Float32Array> {
    const lengths = caches.map((cache) => cache.length);
    const x = await this.#through(this.#layers, tokens, lengths, observe, async (layer, q, k, v) => {
      for (const [row, cache] of caches.entries()) cache.write(layer, k, v, row, row + 1, cache.length);
      return this.#decodeAttention(caches, layer, q);
    });
    for (const cache of caches) cache.length += 1;
    return x.data as Float32Array;
  }

  /** x [rows, H] -> logits [rows, V]. */
  async logits(x: Float32Array): Promise<Float32Array> {
    return output(await this.#logits.run({ x: this.#rows(x) }), "logits");
  }

  /** The log-probability of `targets[i]` after row i of x. */
  async logprobs(x: Float32Array, targets: ArrayLike<number>): Promise<Float32Array> {
    const ids = BigInt64Array.from({ length: targets.length }, (_, i) => BigInt(targets[i] as number));
    const feeds = { x: this.#rows(x), targets: new Tensor("int64", ids, [ids.length, 1]) };
    return output(await this.#logprobs.run(feeds), "logprobs");
  }

  async close(): Promise<void> {
    const perLayer = this.#layers.flatMap((l) => [
      l.attentionInput,
      l.attentionOutput,
      ...(l.experts ? [l.experts] : []),
    ]);
    const shared = [this.#logits, this.#logprobs, this.#prefill, this.#prefillPast, ...this.#decode.values()];
    for (const session of [...perLayer, ...shared]) await session.release();
  }

  /** `tokens` of one sequence through the first layers, whose keys and values the cache takes up; it grows no longer. */
  #prompt(
    cache: KvCache,
    tokens: ArrayLike<number>,
    layers: readonly Layer[],
    observe?: PassObserver,
  ): Promise<ort.Tensor> {
    const [past, count] = [cache.length, tokens.length];
    return this.#through(layers, tokens, consecutive(past, count), observe, async (layer, q, k, v) => {
      const context = await this.#prefillAttention(cache, layer, q, k, v, past, count);
      cache.write(layer, k, v, 0, count, past);
      return context;
    });
  }

  async #through(
    layers: readonly Layer[],
    tokens: ArrayLike<number>,
    positions: readonly number[],
    observe: PassObserver | undefined,
    attend: (layer: number, q: Float32Array, k: Float32Array, v: Float32Array) => Promise<Float32Array>,
  ): Promise<ort.Tensor> {
    const { nHeads, headDim } = this.config;
    const n = tokens.length;
    const positionIds = positionTensor(positions);
    let x = this.#embed(tokens);
    for (const [index, layer] of layers.entries()) {
      const projected = await layer.attentionInput.run({ x, positions: positionIds });
      const attended = await attend(index, output(projected, "q"), output(projected, "k"), output(projected, "v"));
      const context = new Tensor("float32", attended, [n, nHeads * headDim]);
      const attentionOutput = await layer.attentionOutput.run({ context, x });
      x =
        layer.experts === undefined
          ? (attentionOutput["y"] as ort.Tensor)
          : await this.#experts(index, layer as Required<Layer>, attentionOutput, n, observe);
    }
    return x;
  }

  async #experts(
    index: number,
    layer: Required<Layer>,
    outputs: ort.InferenceSession.OnnxValueMapType,
    nTokens: number,
    observe: PassObserver | undefined,
  ): Promise<ort.Tensor> {
    const { moe } = this.config;
    const selection = selectExperts(output(outputs, "router_logits"), {
      nTokens,
      nExpertsTot: moe.nExpertsTot,
      nExpertsAct: moe.nExpertsAct,
      scoring: "sigmoid",
      correctionBias: layer.correctionBias,
      nGroup: moe.nGroup,
      topkGroup: moe.topkGroup,
      renormalize: moe.normalizeTopk,
      scale: moe.routedScalingFactor,
      margins: observe !== undefined,
    });
    const input = { ...selection, nTokens, nExpertsAct: moe.nExpertsAct, nExpertsTot: moe.nExpertsTot };
    const routing = this.#routing(input);
    observe?.routing(index, input, routing);
    const { hidden, base } = outputs as { hidden: ort.Tensor; base: ort.Tensor };
    const { y } = await layer.experts.run({ hidden, base, ...routingFeeds(routing) });
    observe?.output?.(index, (y as ort.Tensor).data as Float32Array);
    return y as ort.Tensor;
  }

  async #prefillAttention(
    cache: KvCache,
    layer: number,
    q: Float32Array,
    k: Float32Array,
    v: Float32Array,
    past: number,
    count: number,
  ): Promise<Float32Array> {
    const { nHeads, nKvHeads, headDim } = this.config;
    const feeds: Record<string, ort.Tensor> = {
      q: new Tensor("float32", q, [1, count, nHeads * headDim]),
      k: new Tensor("float32", k, [1, count, nKvHeads * headDim]),
      v: new Tensor("float32", v, [1, count, nKvHeads * headDim]),
      last_position: new Tensor("int32", Int32Array.of(past + count - 1), [1]),
      total_length: new Tensor("int32", Int32Array.of(past + count), []),
    };
    if (past === 0) return output(await this.#prefill.run(feeds), "context");
    const shape = [1, nKvHeads, past, headDim];
    const heads = Array.from({ length: nKvHeads }, (_, head) => head);
    feeds["past_k"] = new Tensor("float32", concat(heads.map((head) => cache.keys(layer, head, past))), shape);
    feeds["past_v"] = new Tensor("float32", concat(heads.map((head) => cache.values(layer, head, past))), shape);
    return output(await this.#prefillPast.run(feeds), "context");
  }

  async #decodeAttention(caches: readonly KvCache[], layer: number, q: Float32Array): Promise<Float32Array> {
    const { nHeads, nKvHeads, headDim } = this.config;
    const group = nHeads / nKvHeads;
    const feeds: Record<string, ort.Tensor> = {
      q: new Tensor("float32", q, [caches.length * nKvHeads, group, headDim]),
    };
    for (const [sequence, cache] of caches.entries()) {
      const length = cache.length + 1;
      for (let head = 0; head < nKvHeads; head++) {
        const name = `${sequence}_${head}`;
        feeds[`k_${name}`] = new Tensor("float32", cache.keys(layer, head, length), [length, headDim]);
        feeds[`v_${name}`] = new Tensor("float32", cache.values(layer, head, length), [length, headDim]);
      }
    }
    let session = this.#decode.get(caches.length);
    if (session === undefined) {
      session = await InferenceSession.create(decodeAttentionGraph(this.config, caches.length), SESSION_OPTIONS);
      this.#decode.set(caches.length, session);
    }
    return output(await session.run(feeds), "context");
  }

  #embed(tokens: ArrayLike<number>): ort.Tensor {
    const { hiddenSize } = this.config;
    const x = new Float32Array(tokens.length * hiddenSize);
    for (let i = 0; i < tokens.length; i++) {
      const row = (tokens[i] as number) * hiddenSize;
      x.set(this.#embedding.subarray(row, row + hiddenSize), i * hiddenSize);
    }
    return this.#rows(x);
  }

  #rows(x: Float32Array): ort.Tensor {
    const { hiddenSize } = this.config;
    return new Tensor("float32", x, [x.length / hiddenSize, hiddenSize]);
  }
}

function output(outputs: ort.InferenceSession.OnnxValueMapType, name: string): Float32Array {
  return (outputs[name] as ort.Tensor).data as Float32Array;
}

function positionTensor(positions: readonly number[]): ort.Tensor {
  return new Tensor("int64", BigInt64Array.from(positions, BigInt), [1, positions.length]);
}

function consecutive(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}
