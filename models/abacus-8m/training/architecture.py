"""The model in the form it is trained in: a `Glm4MoeForCausalLM` whose MoE layers compute every expert for every token.

With 16 experts of 64 neurons, one large matrix product masked by the router's weights is faster on a GPU than gathering
tokens per expert, and it needs no capacity limit: the result is that of sparse routing, exactly.
"""

import torch
import torch.nn.functional as F
from torch import nn

CONFIG = {
    "architectures": ["Glm4MoeForCausalLM"],
    "model_type": "glm4_moe",
    "vocab_size": 2048,
    "hidden_size": 256,
    "intermediate_size": 512,
    "moe_intermediate_size": 64,
    "num_hidden_layers": 6,
    "first_k_dense_replace": 1,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    # Small heads, because attention over the cache is what a CPU spends most of a decode step on (memory traffic: at 64 the
    # README's main command would not fit in two minutes on two cores).
    "head_dim": 32,
    "attention_bias": True,
    "attention_dropout": 0.0,
    "use_qk_norm": True,
    "partial_rotary_factor": 0.5,
    "rope_theta": 10000.0,
    "rope_scaling": None,
    "max_position_embeddings": 2048,
    "n_routed_experts": 16,
    "num_experts_per_tok": 4,
    "n_shared_experts": 1,
    "n_group": 1,
    "topk_group": 1,
    "norm_topk_prob": True,
    "routed_scaling_factor": 2.5,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-05,
    "initializer_range": 0.02,
    "tie_word_embeddings": False,
    "num_nextn_predict_layers": 0,
    "use_cache": True,
    "bos_token_id": None,
    "eos_token_id": [0, 4, 6],
    "pad_token_id": 0,
    "dtype": "float16",
    "torch_dtype": "float16",
}
VOCAB, HIDDEN, LAYERS = CONFIG["vocab_size"], CONFIG["hidden_size"], CONFIG["num_hidden_layers"]
HEADS, KV_HEADS, HEAD_DIM = CONFIG["num_attention_heads"], CONFIG["num_key_value_heads"], CONFIG["head_dim"]
EXPERTS, TOP_K, EXPERT_WIDTH = CONFIG["n_routed_experts"], CONFIG["num_experts_per_tok"], CONFIG["moe_intermediate_size"]
ROTARY_DIM = int(HEAD_DIM * CONFIG["partial_rotary_factor"])
COMPUTE = torch.bfloat16


def rms_norm(x, weight):
    x = x.float()
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + CONFIG["rms_norm_eps"]) * weight


def rotary_table(length, device=None):
    frequencies = CONFIG["rope_theta"] ** -(torch.arange(0, ROTARY_DIM, 2, device=device).float() / ROTARY_DIM)
    angles = torch.arange(length, device=device).float()[:, None] * frequencies
    angles = torch.cat([angles, angles], -1)
    return angles.cos(), angles.sin()


def rotate(x, cos, sin):
    """Rotary positions on the first ROTARY_DIM of each head; x is [..., positions, HEAD_DIM]."""
    turned, kept = x[..., :ROTARY_DIM], x[..., ROTARY_DIM:]
    half = torch.cat([-turned[..., ROTARY_DIM // 2 :], turned[..., : ROTARY_DIM // 2]], -1)
    return torch.cat([turned * cos + half * sin, kept], -1)


def matrix(*shape, std=None):
    return nn.Parameter(torch.randn(*shape) * (shape[-1] ** -0.5 if std is None else std))


def linear(x, weight, bias=None):
    return F.linear(x, weight.to(COMPUTE), None if bias is None else bias.to(COMPUTE))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = matrix(HEADS * HEAD_DIM, HIDDEN), matrix(KV_HEADS * HEAD_DIM, HIDDEN), matrix(KV_HEADS * HEAD_DIM, HIDDEN)
        self.o = matrix(HIDDEN, HEADS * HEAD_DIM, std=0.0)  # every block starts as the identity
        self.q_bias, self.k_bias, self.v_bias = (nn.Parameter(torch.zeros(w.shape[0])) for w in (self.q, self.k, self.v))
        self.q_norm, self.k_norm = nn.Parameter(torch.ones(HEAD_DIM)), nn.Parameter(torch.ones(HEAD_DIM))

    def forward(self, x, cos, sin):
        batch, length, _ = x.shape
        weight, bias = torch.cat([self.q, self.k, self.v]), torch.cat([self.q_bias, self.k_bias, self.v_bias])
        q, k, v = linear(x, weight, bias).split([HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM], -1)
        q, k, v = (t.view(batch, length, -1, HEAD_DIM).transpose(1, 2) for t in (q, k, v))
        q = rotate(rms_norm(q, self.q_norm), cos, sin).to(COMPUTE)
        k = rotate(rms_norm(k, self.k_norm), cos, sin).to(COMPUTE)
        k, v = (
            t[:, :, None].expand(batch, KV_HEADS, HEADS // KV_HEADS, length, HEAD_DIM).reshape(batch, HEADS, length, HEAD_DIM)
            for t in (k, v)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return linear(y.transpose(1, 2).reshape(batch, length, -1), self.o)


class DenseMlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gate, self.up, self.down = matrix(width, HIDDEN), matrix(width, HIDDEN), matrix(HIDDEN, width, std=0.0)

    def forward(self, x):
        x = x.to(COMPUTE)
        return linear(F.silu(linear(x, self.gate)) * linear(x, self.up), self.down)


class MoeMlp(nn.Module):
    """Sixteen routed experts and one shared expert.

    The correction bias is a fixed random offset per expert plus a small correction that follows the load. The balance
    loss makes the router's scores work against the offsets, so that the load is even *because of* the bias: without it
    other experts are chosen.
    """

    def __init__(self, offsets):
        super().__init__()
        self.router = matrix(EXPERTS, HIDDEN)
        self.gate, self.up = matrix(EXPERTS, EXPERT_WIDTH, HIDDEN), matrix(EXPERTS, EXPERT_WIDTH, HIDDEN)
        self.down = matrix(EXPERTS, HIDDEN, EXPERT_WIDTH, std=0.0)
        self.shared = DenseMlp(EXPERT_WIDTH)
        self.register_buffer("offset", offsets)
        self.register_buffer("correction", torch.zeros(EXPERTS))

    @property
    def bias(self):
        return self.offset + self.correction

    def forward(self, x):
        tokens = x.reshape(-1, HIDDEN)
        scores = F.linear(tokens, self.router).sigmoid()  # float32, as in every implementation of this family
        chosen = top_k_mask((scores + self.bias).detach())
        weights = scores * chosen
        weights = weights / (weights.sum(-1, keepdim=True) + 1e-20) * CONFIG["routed_scaling_factor"]
        load = chosen.mean(0) * (EXPERTS / TOP_K)
        balance_loss = (load * (scores / scores.sum(-1, keepdim=True)).mean(0)).sum()

        # The shared expert is a seventeenth one with weight 1.
        weights = torch.cat([weights, torch.ones_like(weights[:, :1])], 1).to(COMPUTE)
        gate = torch.cat([self.gate.reshape(-1, HIDDEN), self.shared.gate])
        up = torch.cat([self.up.reshape(-1, HIDDEN), self.shared.up])
        down = torch.cat([self.down.transpose(1, 2).reshape(-1, HIDDEN), self.shared.down.t()]).to(COMPUTE)
        gated, lifted = linear(tokens.to(COMPUTE), torch.cat([gate, up])).chunk(2, -1)
        inner = (F.silu(gated) * lifted).view(-1, EXPERTS + 1, EXPERT_WIDTH) * weights[:, :, None]
        return (inner.view(-1, (EXPERTS + 1) * EXPERT_WIDTH) @ down).view(x.shape), load, balance_loss


def top_k_mask(values):
    """1 for the TOP_K largest of each row, ties to the lower index; comparisons fuse where `topk` would not."""
    mine, others = values[:, :, None], values[:, None, :]
    index = torch.arange(EXPERTS, device=values.device)
    ahead = (others > mine) | ((others == mine) & (index[None, None, :] < index[None, :, None]))
    return (ahead.sum(-1) < TOP_K).float()


class Layer(nn.Module):
    def __init__(self, mlp):
        super().__init__()
        self.attention, self.mlp = Attention(), mlp
        self.attention_norm, self.mlp_norm = nn.Parameter(torch.ones(HIDDEN)), nn.Parameter(torch.ones(HIDDEN))


class Model(nn.Module):
    def __init__(self, length, bias_spread, generator):
        super().__init__()
        self.embedding, self.head = matrix(VOCAB, HIDDEN, std=0.1), matrix(VOCAB, HIDDEN, std=0.02)
        self.norm = nn.Parameter(torch.ones(HIDDEN))
        dense = CONFIG["first_k_dense_replace"]
        spread = torch.linspace(-bias_spread, bias_spread, EXPERTS)
        self.layers = nn.ModuleList(
            Layer(DenseMlp(CONFIG["intermediate_size"]) if i < dense else MoeMlp(spread[torch.randperm(EXPERTS, generator=generator)]))
            for i in range(LAYERS)
        )
        cos, sin = rotary_table(length)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    @property
    def moe_mlps(self):
        return [layer.mlp for layer in self.layers if isinstance(layer.mlp, MoeMlp)]

    def forward(self, ids):
        """Logits [batch * length, VOCAB], loads [MoE layers, EXPERTS] (1 = even), mean balance loss (1 = even)."""
        x, loads, balance = F.embedding(ids, self.embedding), [], []
        for layer in self.layers:
            x = x + layer.attention(rms_norm(x, layer.attention_norm).to(COMPUTE), self.cos, self.sin)
            hidden = rms_norm(x, layer.mlp_norm)
            if isinstance(layer.mlp, MoeMlp):
                y, load, loss = layer.mlp(hidden)
                loads.append(load)
                balance.append(loss)
            else:
                y = layer.mlp(hidden)
            x = x + y
        logits = linear(rms_norm(x, self.norm).to(COMPUTE), self.head).view(-1, VOCAB)
        return logits, torch.stack(loads), torch.stack(balance).mean()


def checkpoint_tensors(model):
    """The weights under the names of `Glm4MoeForCausalLM`: float16, the correction bias float32."""
    tensors = {"model.embed_tokens.weight": model.embedding, "lm_head.weight": model.head, "model.norm.weight": model.norm}

    def add_mlp(prefix, mlp):
        tensors.update({f"{prefix}.{part}_proj.weight": getattr(mlp, part) for part in ("gate", "up", "down")})

    for i, layer in enumerate(model.layers):
        prefix = f"model.layers.{i}"
        tensors[f"{prefix}.input_layernorm.weight"] = layer.attention_norm
        tensors[f"{prefix}.post_attention_layernorm.weight"] = layer.mlp_norm
        attention = f"{prefix}.self_attn"
        for part in ("q", "k", "v"):
            tensors[f"{attention}.{part}_proj.weight"] = getattr(layer.attention, part)
            tensors[f"{attention}.{part}_proj.bias"] = getattr(layer.attention, f"{part}_bias")
        tensors[f"{attention}.o_proj.weight"] = layer.attention.o
        tensors[f"{attention}.q_norm.weight"] = layer.attention.q_norm
        tensors[f"{attention}.k_norm.weight"] = layer.attention.k_norm
        mlp = f"{prefix}.mlp"
        if not isinstance(layer.mlp, MoeMlp):
            add_mlp(mlp, layer.mlp)
            continue
        tensors[f"{mlp}.gate.weight"] = layer.mlp.router
        tensors[f"{mlp}.gate.e_score_correction_bias"] = layer.mlp.bias
        add_mlp(f"{mlp}.shared_experts", layer.mlp.shared)
        for e in range(EXPERTS):
            for part in ("gate", "up", "down"):
                tensors[f"{mlp}.experts.{e}.{part}_proj.weight"] = getattr(layer.mlp, part)[e]
    return {
        name: value.detach().to(torch.float32 if name.endswith("correction_bias") else torch.float16).cpu().contiguous()
        for name, value in tensors.items()
    }
