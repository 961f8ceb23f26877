"""Greedy generation from the checkpoint's tensors in float32, many prompts at once, with a router that can be broken.

Independent of architecture.py on purpose: it reads the weights under their published names, so a fault in the export
shows as a fall in accuracy.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from architecture import CONFIG, EXPERT_WIDTH, EXPERTS, HEAD_DIM, HEADS, HIDDEN, KV_HEADS, LAYERS, TOP_K, rms_norm, rotary_table, rotate


@dataclass(frozen=True)
class RouterVariant:
    """The defaults are the model's own router; every other value is a fault to measure."""

    top_k: int = TOP_K
    scale: float = CONFIG["routed_scaling_factor"]
    renormalise: bool = True
    use_bias: bool = True
    softmax: bool = False
    shared_expert: bool = True
    random_experts: bool = False


class Inference:
    def __init__(self, tensors, device, variant=RouterVariant()):
        self.weights = {name: value.to(device, torch.float32) for name, value in tensors.items()}
        self.device, self.variant = device, variant
        length = CONFIG["max_position_embeddings"] + 256
        self.cos, self.sin = rotary_table(length, device)
        self.experts = {}
        for i in range(CONFIG["first_k_dense_replace"], LAYERS):
            names = [f"model.layers.{i}.mlp.experts.{e}" for e in range(EXPERTS)]
            gate, up, down = (torch.stack([self.weights.pop(f"{n}.{part}_proj.weight") for n in names]) for part in ("gate", "up", "down"))
            self.experts[i] = gate.reshape(-1, HIDDEN), up.reshape(-1, HIDDEN), down.transpose(1, 2).reshape(-1, HIDDEN)
        self.reset_statistics()

    def reset_statistics(self):
        self.load = torch.zeros(LAYERS, EXPERTS, device=self.device)
        self.changed = torch.zeros(LAYERS, device=self.device)
        self.tokens = 0

    def mlp(self, prefix, x):
        w = self.weights
        return F.linear(F.silu(F.linear(x, w[f"{prefix}.gate_proj.weight"])) * F.linear(x, w[f"{prefix}.up_proj.weight"]), w[f"{prefix}.down_proj.weight"])

    def route(self, layer, x, valid):
        """Weights [tokens, EXPERTS], zero for the experts not chosen."""
        v, prefix = self.variant, f"model.layers.{layer}.mlp.gate"
        logits = F.linear(x, self.weights[f"{prefix}.weight"])
        scores = logits.softmax(-1) if v.softmax else logits.sigmoid()
        biased = scores + self.weights[f"{prefix}.e_score_correction_bias"] if v.use_bias else scores
        mask = choose(torch.rand_like(scores) if v.random_experts else biased, v.top_k)
        if valid is not None:  # statistics over prompt tokens only
            self.load[layer] += mask[valid].sum(0)
            self.changed[layer] += (choose(scores, v.top_k) != mask).any(-1)[valid].sum()
        weights = scores * mask
        if v.renormalise:
            weights = weights / (weights.sum(-1, keepdim=True) + 1e-20)
        return weights * v.scale

    def moe(self, layer, x, valid):
        flat = x.reshape(-1, HIDDEN)
        gate, up, down = self.experts[layer]
        inner = (F.silu(flat @ gate.t()) * (flat @ up.t())).view(-1, EXPERTS, EXPERT_WIDTH)
        y = (inner * self.route(layer, flat, valid)[:, :, None]).view(-1, EXPERTS * EXPERT_WIDTH) @ down
        y = y.view(x.shape)
        return y + self.mlp(f"model.layers.{layer}.mlp.shared_experts", x) if self.variant.shared_expert else y

    def attention(self, layer, x, positions, cache):
        batch, length, _ = x.shape
        w, prefix = self.weights, f"model.layers.{layer}.self_attn"
        q, k, v = (
            F.linear(x, w[f"{prefix}.{part}_proj.weight"], w[f"{prefix}.{part}_proj.bias"]).view(batch, length, -1, HEAD_DIM).transpose(1, 2)
            for part in "qkv"
        )
        cos, sin = self.cos[positions][:, None], self.sin[positions][:, None]
        q = rotate(rms_norm(q, w[f"{prefix}.q_norm.weight"]), cos, sin)
        k = rotate(rms_norm(k, w[f"{prefix}.k_norm.weight"]), cos, sin)
        rows = torch.arange(batch, device=x.device)[:, None]
        if cache is not None:
            keys, values = cache[layer]
            keys[rows, :, positions], values[rows, :, positions] = k.transpose(1, 2), v.transpose(1, 2)
        if length > 1:  # prompt
            k, v = (t.repeat_interleave(HEADS // KV_HEADS, 1) for t in (k, v))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:  # one new token per sequence
            grouped = q.view(batch, KV_HEADS, HEADS // KV_HEADS, HEAD_DIM)
            logits = grouped @ keys.transpose(-1, -2) * HEAD_DIM**-0.5
            unseen = torch.arange(keys.shape[2], device=x.device) > positions[:, :, None, None]
            y = (logits.masked_fill(unseen, -torch.inf).softmax(-1) @ values).reshape(batch, HEADS, 1, HEAD_DIM)
        return F.linear(y.transpose(1, 2).reshape(batch, length, -1), w[f"{prefix}.o_proj.weight"])

    def hidden(self, ids, positions, cache=None, valid=None):
        w = self.weights
        x = F.embedding(ids, w["model.embed_tokens.weight"])
        if valid is not None:
            self.tokens += int(valid.sum())
            valid = valid.reshape(-1)
        for i in range(LAYERS):
            x = x + self.attention(i, rms_norm(x, w[f"model.layers.{i}.input_layernorm.weight"]), positions, cache)
            y = rms_norm(x, w[f"model.layers.{i}.post_attention_layernorm.weight"])
            x = x + (self.moe(i, y, valid) if i in self.experts else self.mlp(f"model.layers.{i}.mlp", y))
        return rms_norm(x, w["model.norm.weight"])

    @torch.no_grad()
    def logits(self, ids):
        positions = torch.arange(ids.shape[1], device=self.device).expand(ids.shape)
        return F.linear(self.hidden(ids, positions), self.weights["lm_head.weight"])

    @torch.no_grad()
    def generate(self, prompts, max_new, end_ids, stop_ids):
        """Greedy continuations (lists of ids) until an end id, a stop sequence (kept in the result) or max_new."""
        batch, device = len(prompts), self.device
        lengths = torch.tensor([len(p) for p in prompts], device=device)
        longest = int(lengths.max())
        ids = torch.zeros(batch, longest, dtype=torch.long, device=device)
        for row, prompt in enumerate(prompts):
            ids[row, : len(prompt)] = torch.tensor(prompt, device=device)
        shape = (batch, KV_HEADS, longest + max_new, HEAD_DIM)
        cache = [(torch.zeros(shape, device=device), torch.zeros(shape, device=device)) for _ in range(LAYERS)]
        positions = torch.arange(longest, device=device).expand(batch, longest)
        hidden = self.hidden(ids, positions, cache, positions < lengths[:, None])
        hidden = hidden[torch.arange(batch, device=device), lengths - 1]
        end = torch.tensor(end_ids, device=device)
        stops = [torch.tensor(s, device=device) for s in stop_ids]
        out, done = [], torch.zeros(batch, dtype=torch.bool, device=device)
        for step in range(max_new):
            token = F.linear(hidden, self.weights["lm_head.weight"]).argmax(-1)
            out.append(token)
            done |= torch.isin(token, end)
            for stop in stops:
                if step + 1 >= len(stop):
                    done |= (torch.stack(out[-len(stop) :], 1) == stop).all(1)
            if step + 1 == max_new or (step % 8 == 7 and bool(done.all())):
                break
            hidden = self.hidden(token[:, None], (lengths + step)[:, None], cache)[:, 0]
        return [cut_at(row, end_ids, stop_ids) for row in torch.stack(out, 1).tolist()]


def choose(values, count):
    return torch.zeros_like(values).scatter_(1, values.topk(count, -1)[1], 1.0)


def cut_at(row, end_ids, stop_ids):
    for i, token in enumerate(row):
        if token in end_ids:
            return row[: i + 1]
        if any(row[max(0, i + 1 - len(s)) : i + 1] == list(s) for s in stop_ids):
            return row[: i + 1]
    return row
