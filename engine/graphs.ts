/**
 * The dense maths of a Glm4Moe model as ONNX graphs. What stands between them (cutting the cache, choosing experts,
 * making routing data) is TypeScript, because routing is the part under test:
 *
 *     attention input -> [cache] -> attention -> attention output -> [select experts, routing data] -> experts
 *
 * T is the number of tokens (rows) of a forward pass, whatever sequences they belong to.
 */
import type { Checkpoint } from "./checkpoint.ts";
import { concat } from "./concat.ts";
import type { ModelConfig } from "./config.ts";
import { GraphBuilder } from "./onnx/graph.ts";
import type { Value } from "./onnx/graph.ts";
import { ELEMENT_TYPE } from "./onnx/schema.ts";
import { rotaryTables } from "./rotary.ts";

/** x [T, H] and positions [1, T] -> q [T, heads*D], k and v [T, KV heads*D], normalised per head and rotated. */
export function attentionInputGraph(checkpoint: Checkpoint, layer: number): Uint8Array {
  const { config } = checkpoint;
  const { hiddenSize: H, nHeads, nKvHeads, headDim: D } = config;
  const prefix = `model.layers.${layer}`;
  const graph = new GraphBuilder(`attention_input_${layer}`);
  const x = graph.input("x", ["T", H]);
  const positions = graph.input("positions", [1, "T"], "int64");

  const parts = [
    ["q", nHeads],
    ["k", nKvHeads],
    ["v", nKvHeads],
  ] as const;
  const weights = parts.map(([name, n]) => checkpoint.tensor(`${prefix}.self_attn.${name}_proj.weight`, [n * D, H]));
  const biases = config.attentionBias
    ? parts.map(([name, n]) => checkpoint.tensor(`${prefix}.self_attn.${name}_proj.bias`, [n * D]))
    : undefined;
  const sizes = parts.map(([, n]) => n * D);
  const h = rmsNorm(graph, x, checkpoint.tensor(`${prefix}.input_layernorm.weight`, [H]), config.rmsNormEps);
  const rows = sizes.reduce((a, b) => a + b, 0);
  const projected = linear(graph, h, concat(weights), [rows, H], biases && concat(biases));
  const [q, k, v] = split(graph, projected, sizes, 1) as [Value, Value, Value];

  const rotary = rotaryTables(config);
  const tables = (["cos", "sin"] as const).map((name) =>
    graph.constant([config.contextLength, config.rotaryDim / 2], rotary[name]),
  );
  const finish = (value: Value, name: "q" | "k", heads: number): Value => {
    const normalised = config.qkNorm
      ? headNorm(graph, value, checkpoint.tensor(`${prefix}.self_attn.${name}_norm.weight`, [D]), heads, config)
      : value;
    const batched = graph.node("Reshape", [normalised, shapeConstant(graph, [1, -1, heads * D])]);
    const attributes = { num_heads: heads, rotary_embedding_dim: config.rotaryDim };
    return graph.contrib("RotaryEmbedding", [batched, positions, ...tables], attributes);
  };
  graph.output("q", finish(q, "q", nHeads), [1, "T", nHeads * D]);
  graph.output("k", finish(k, "k", nKvHeads), [1, "T", nKvHeads * D]);
  graph.output("v", v, ["T", nKvHeads * D]);
  return graph.build();
}

/** Root-mean-square norm of each head by itself. */
function headNorm(graph: GraphBuilder, x: Value, weight: Float32Array, heads: number, config: ModelConfig): Value {
  const perHead = graph.node("Reshape", [x, shapeConstant(graph, [-1, heads, config.headDim])]);
  return rmsNorm(graph, perHead, weight, config.rmsNormEps);
}

/**
 * Causal attention of one sequence's new tokens over themselves and, `withPast`, over what its cache holds.
 * q [1, S, heads*D], k and v [1, S, KV heads*D], past_k and past_v [1, KV heads, P, D] -> context [1, S, heads*D].
 */
export function prefillAttentionGraph(config: ModelConfig, withPast: boolean): Uint8Array {
  const { nHeads, nKvHeads, headDim: D } = config;
  const graph = new GraphBuilder(withPast ? "prefill_attention_past" : "prefill_attention");
  const inputs = [
    graph.input("q", [1, "S", nHeads * D]),
    graph.input("k", [1, "S", nKvHeads * D]),
    graph.input("v", [1, "S", nKvHeads * D]),
    withPast ? graph.input("past_k", [1, nKvHeads, "P", D]) : "",
    withPast ? graph.input("past_v", [1, nKvHeads, "P", D]) : "",
    graph.input("last_position", [1], "int32"),
    graph.input("total_length", [], "int32"),
  ];
  // The operator also returns the extended cache; it is not an output of the graph, so that nothing is copied out.
  const context = graph.contrib("GroupQueryAttention", inputs, { num_heads: nHeads, kv_num_heads: nKvHeads }, 3);
  graph.output("context", context, [1, "S", nHeads * D]);
  return graph.build();
}

/**
 * Attention of one new token of each of `batch` sequences, every one over its own cache, which is read in place:
 * the key and value of sequence b and KV head h come in as `k_<b>_<h>` and `v_<b>_<h>` [length of b, D].
 * One chain of nodes per sequence and head keeps a sequence's result independent of its neighbours, to the bit.
 * q [batch*KV heads, group, D] -> context of the same shape (group = query heads per KV head).
 */
export function decodeAttentionGraph(config: ModelConfig, batch: number): Uint8Array {
  const { nHeads, nKvHeads, headDim: D } = config;
  const group = nHeads / nKvHeads;
  const graph = new GraphBuilder(`decode_attention_${batch}`);
  const q = graph.input("q", [batch * nKvHeads, group, D]);
  const queries = split(graph, q, Array<number>(batch * nKvHeads).fill(1), 0);
  const contexts = queries.map((query, index) => {
    const [sequence, head] = [Math.floor(index / nKvHeads), index % nKvHeads];
    const k = graph.input(`k_${sequence}_${head}`, [`length_${sequence}`, D]);
    const v = graph.input(`v_${sequence}_${head}`, [`length_${sequence}`, D]);
    const scores = graph.contrib("FusedMatMul", [query, k], { transB: 1, alpha: { float: D ** -0.5 } });
    return graph.node("MatMul", [graph.node("Softmax", [scores], { axis: -1 }), v]);
  });
  graph.output("context", graph.node("Concat", contexts, { axis: 0 }), [batch * nKvHeads, group, D]);
  return graph.build();
}

/**
 * context [T, heads*D] and x [T, H] -> for a dense layer `y` [T, H], the layer's result; for a MoE layer `base` [T, H]
 * (residual plus shared expert), `hidden` [T, H] (what router and experts see) and `router_logits` [T, E].
 */
export function attentionOutputGraph(checkpoint: Checkpoint, layer: number): Uint8Array {
  const { config } = checkpoint;
  const { hiddenSize: H, moe } = config;
  const prefix = `model.layers.${layer}`;
  const attentionSize = config.nHeads * config.headDim;
  const graph = new GraphBuilder(`attention_output_${layer}`);
  const context = graph.input("context", ["T", attentionSize]);
  const x = graph.input("x", ["T", H]);

  const outputWeight = checkpoint.tensor(`${prefix}.self_attn.o_proj.weight`, [H, attentionSize]);
  const residual = graph.node("Add", [x, linear(graph, context, outputWeight, [H, attentionSize])]);
  const normWeight = checkpoint.tensor(`${prefix}.post_attention_layernorm.weight`, [H]);
  const hidden = rmsNorm(graph, residual, normWeight, config.rmsNormEps);
  if (layer < moe.firstDenseLayers) {
    const out = feedForward(graph, hidden, checkpoint, `${prefix}.mlp`, config.intermediateSize);
    graph.output("y", graph.node("Add", [residual, out]), ["T", H]);
    return graph.build();
  }
  const sharedSize = moe.nSharedExperts * moe.intermediateSize;
  const base =
    sharedSize === 0
      ? residual
      : graph.node("Add", [
          residual,
          feedForward(graph, hidden, checkpoint, `${prefix}.mlp.shared_experts`, sharedSize),
        ]);
  const E = moe.nExpertsTot;
  const gate = checkpoint.tensor(`${prefix}.mlp.gate.weight`, [E, H]);
  graph.output("base", base, ["T", H]);
  graph.output("hidden", hidden, ["T", H]);
  graph.output("router_logits", linear(graph, hidden, gate, [E, H]), ["T", E]);
  return graph.build();
}

/**
 * The routed experts of one layer, driven by the routing data as it stands: `topk_indx` [NK] says whose row stands where
 * in expert order, `hist` [E] how many rows each expert has, `gate_indx` [NK] where each token's results are, `gate_scal`
 * [NK, 1] their weights. hidden [N, H] and base [N, H] -> `y` [N, H], base plus each token's weighted experts.
 *
 * The graph believes all four: a row in the wrong bucket meets the wrong expert. A token's K results are added in the
 * order of the flat index, ascending expert id for the reference chain and selection order for the fused one; the two
 * round differently in the last bit, as they did in the original engine.
 */
export function expertsGraph(checkpoint: Checkpoint, layer: number): Uint8Array {
  const { hiddenSize: H, moe } = checkpoint.config;
  const { nExpertsTot: E, nExpertsAct: K, intermediateSize: I } = moe;
  const graph = new GraphBuilder(`experts_${layer}`);
  const hidden = graph.input("hidden", ["N", H]);
  const base = graph.input("base", ["N", H]);
  const topkIndx = graph.input("topk_indx", ["NK"], "int32");
  const hist = graph.input("hist", [E], "int32");
  const gateIndx = graph.input("gate_indx", ["NK"], "int32");
  const gateScal = graph.input("gate_scal", ["NK", 1]);
  const prefixes = Array.from({ length: E }, (_, expert) => `model.layers.${layer}.mlp.experts.${expert}`);

  const sizes = graph.node("Cast", [hist], { to: ELEMENT_TYPE.int64 });
  const perExpert = (value: Value, weight: (prefix: string) => Float32Array, shape: [number, number]): Value => {
    const buckets = graph.nodes("Split", [value, sizes], E, { axis: 0 });
    const products = buckets.map((bucket, expert) => linear(graph, bucket, weight(prefixes[expert] as string), shape));
    return graph.node("Concat", products, { axis: 0 });
  };
  const tokens = graph.node("Div", [topkIndx, graph.constant([], Int32Array.of(K))]);
  const gateUp = perExpert(
    graph.node("Gather", [hidden, tokens], { axis: 0 }),
    (prefix) => concat(["gate_proj", "up_proj"].map((name) => checkpoint.tensor(`${prefix}.${name}.weight`, [I, H]))),
    [2 * I, H],
  );
  const inner = gatedSilu(graph, gateUp, I);
  const rows = perExpert(inner, (prefix) => checkpoint.tensor(`${prefix}.down_proj.weight`, [H, I]), [H, I]);
  const weighted = graph.node("Mul", [rows, gateScal]);
  const byToken = graph.node("Gather", [weighted, gateIndx], { axis: 0 });
  const slots = graph.node("Reshape", [byToken, shapeConstant(graph, [-1, K, H])]);
  const sum = graph.node("ReduceSum", [slots, shapeConstant(graph, [1])], { keepdims: 0 });
  graph.output("y", graph.node("Add", [base, sum]), ["N", H]);
  return graph.build();
}

/** x [T, H] -> logits [T, V]. */
export function logitsGraph(checkpoint: Checkpoint): Uint8Array {
  const graph = new GraphBuilder("logits");
  graph.output("logits", languageModelHead(graph, checkpoint), ["T", checkpoint.config.vocabSize]);
  return graph.build();
}

/** x [T, H] and targets [T] -> the natural-log probability of each target, logprobs [T, 1]. */
export function logprobsGraph(checkpoint: Checkpoint): Uint8Array {
  const graph = new GraphBuilder("logprobs");
  const logits = languageModelHead(graph, checkpoint);
  const targets = graph.input("targets", ["T", 1], "int64");
  const all = graph.node("LogSoftmax", [logits], { axis: -1 });
  graph.output("logprobs", graph.node("GatherElements", [all, targets], { axis: 1 }), ["T", 1]);
  return graph.build();
}

function languageModelHead(graph: GraphBuilder, checkpoint: Checkpoint): Value {
  const { hiddenSize: H, vocabSize: V, rmsNormEps, tieWordEmbeddings } = checkpoint.config;
  const x = graph.input("x", ["T", H]);
  const normalised = rmsNorm(graph, x, checkpoint.tensor("model.norm.weight", [H]), rmsNormEps);
  const weight = tieWordEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight";
  return linear(graph, normalised, checkpoint.tensor(weight, [V, H]), [V, H]);
}

function feedForward(graph: GraphBuilder, x: Value, checkpoint: Checkpoint, prefix: string, inner: number): Value {
  const H = checkpoint.config.hiddenSize;
  const gateUp = concat(
    ["gate_proj", "up_proj"].map((name) => checkpoint.tensor(`${prefix}.${name}.weight`, [inner, H])),
  );
  const activated = gatedSilu(graph, linear(graph, x, gateUp, [2 * inner, H]), inner);
  return linear(graph, activated, checkpoint.tensor(`${prefix}.down_proj.weight`, [H, inner]), [H, inner]);
}

/** silu(gate) * up of [.., 2*inner]; QuickGelu with alpha 1 is silu in one pass. */
function gatedSilu(graph: GraphBuilder, gateUp: Value, inner: number): Value {
  const [gate, up] = split(graph, gateUp, [inner, inner], 1) as [Value, Value];
  return graph.node("Mul", [graph.contrib("QuickGelu", [gate], { alpha: { float: 1 } }), up]);
}

/** x W^T + b, with W [out, in] as checkpoints store it. */
function linear(
  graph: GraphBuilder,
  x: Value,
  weight: Float32Array,
  shape: readonly [number, number],
  bias?: Float32Array,
): Value {
  const inputs = [x, graph.constant(shape, weight)];
  if (bias !== undefined) inputs.push(graph.constant([shape[0]], bias));
  return graph.node("Gemm", inputs, { transB: 1 });
}

function rmsNorm(graph: GraphBuilder, x: Value, weight: Float32Array, epsilon: number): Value {
  const attributes = { axis: -1, epsilon: { float: epsilon } };
  return graph.node("SimplifiedLayerNormalization", [x, graph.constant([weight.length], weight)], attributes);
}

function split(graph: GraphBuilder, x: Value, sizes: readonly number[], axis: number): Value[] {
  return graph.nodes("Split", [x, shapeConstant(graph, sizes)], sizes.length, { axis });
}

function shapeConstant(graph: GraphBuilder, values: readonly number[]): Value {
  return graph.constant([values.length], BigInt64Array.from(values, BigInt));
}
