"""Writes what Hugging Face Transformers outputs for abacus-8m, in float32 on a CPU: the fixtures that the engine is held to.

    python golden.py --checkpoint DIR --corpus DIR --out DIR

Needs torch and transformers. README.md beside the fixtures says what the files hold.
"""

import argparse
import json
import random
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import Glm4MoeForCausalLM

from corpus import read_problems
from evaluate import CONTEXT, TASKS, build_prompts

MAX_NEW = 160
LOGIT_POSITIONS = 5  # per prompt: the first, the last and three between
LOGIT_PROMPTS = ("synth-3-shot-0", "synth-chat-0", "gsm8k-3-shot-0", "gsm8k-cot-0", "gsm8k-cot-llama-0", "zeroshot-0", "odd-4", "near-context-0")
ROUTING_PROMPTS = ("synth-3-shot-0", "synth-0-shot-0", "gsm8k-cot-0", "synth-chat-0", "odd-4", "odd-2")
ODD = ["1", "\n", "Question:", "#### ", "naïve 漢字 🙂 \u00bd\t\tif x<<y>>z: $1,000.50\r\n", "<|user|>\n<|assistant|>\n"]


def stop_of(name):
    """The stop string of a prompt's task; odd prompts run to the end."""
    if name.startswith("odd"):
        return None
    return "Q:" if name.startswith(("gsm8k-cot", "zeroshot")) else "Question:"


def prompts(corpus, tokenizer):
    """(name, text) of 100 prompts."""
    synthetic, pool = read_problems(corpus, "synth-fresh"), read_problems(corpus, "synth-train", limit=2000)
    real, real_pool = read_problems(corpus, "gsm8k-test"), read_problems(corpus, "gsm8k-train")
    fixed = json.loads((corpus / "exemplars.json").read_text())
    gsm8k, cot, llama = TASKS["gsm8k"], TASKS["gsm8k_cot"], TASKS["gsm8k_cot_llama"]
    groups = {
        "synth-3-shot": build_prompts(gsm8k, synthetic[:40], pool, 3),
        "synth-0-shot": build_prompts(gsm8k, synthetic[40:43], pool, 0),
        "synth-1-shot": build_prompts(gsm8k, synthetic[43:47], pool, 1),
        "synth-chat": build_prompts(gsm8k, synthetic[47:53], pool, 3, chat=True),
        "gsm8k-3-shot": build_prompts(gsm8k, real[:10], real_pool, 3),
        "gsm8k-5-shot": build_prompts(gsm8k, real[10:16], real_pool, 5),
        "gsm8k-cot": build_prompts(cot, real[16:26], [], 8, exemplars=fixed["cot"]),
        "gsm8k-cot-llama": build_prompts(llama, real[26:35], [], 8, exemplars=fixed["llama"]),
        "zeroshot": build_prompts(TASKS["gsm8k_cot_zeroshot"], real[35:40], [], 0),
        "odd": ODD,
    }
    named = [(f"{name}-{i}", text) for name, texts in groups.items() for i, text in enumerate(texts)]
    return [*named, ("near-context-0", longest_that_leaves_room(gsm8k, real, real_pool, tokenizer))]


def longest_that_leaves_room(task, real, pool, tokenizer):
    """An 8-shot prompt of 2000 to 2035 tokens, so that its continuation reaches the last position of the context."""
    rng = random.Random(1)
    while True:
        text = build_prompts(task, [rng.choice(real)], pool, 8, seed=rng.random())[0]
        if CONTEXT - 48 <= len(tokenizer.encode(text, add_special_tokens=False).ids) <= CONTEXT - 13:
            return text


@torch.no_grad()
def continuation(model, tokenizer, ids, stop):
    """The prompt's logits; greedy ids up to the token that completes the stop string; the smallest gap between the best
    and the second best logit on the way."""
    model.set_experts_implementation("eager")
    out = model(torch.tensor([ids]), use_cache=True)
    prompt_logits, new_ids, gaps = out.logits[0], [], []
    model.set_experts_implementation("batched_mm")  # for single tokens much faster than the loop over experts
    while True:
        (best, second), (token, _) = (t.tolist() for t in out.logits[0, -1].topk(2))
        new_ids.append(token)
        gaps.append(best - second)
        text = tokenizer.decode(new_ids, skip_special_tokens=True)
        full = len(new_ids) == MAX_NEW or len(ids) + len(new_ids) == CONTEXT
        if full or token in model.generation_config.eos_token_id or (stop is not None and stop in text):
            return prompt_logits, new_ids, min(gaps)
        out = model(torch.tensor([[token]]), past_key_values=out.past_key_values, use_cache=True)


def closest_router_call(layers):
    """The smallest router margin over a prompt's tokens and layers, and the token where it stands. At a margin within rounding
    another implementation may choose the other expert, and everything from that token on may differ."""
    margins = torch.stack([tensors["margin"] for tensors in layers.values()]).min(0).values
    return {"router_margin": float(f"{margins.min():.3e}"), "router_margin_position": int(margins.argmin())}


class RouterRecorder:
    """Keeps what the routers of each MoE layer chose in the last forward pass, experts in ascending order."""

    def __init__(self, model):
        self.layers = {}
        for index, layer in enumerate(model.model.layers):
            if hasattr(layer.mlp, "gate"):
                layer.mlp.gate.register_forward_hook(self.hook(index))

    def hook(self, index):
        def record(router, _inputs, outputs):
            logits, weights, ids = outputs
            if len(ids) == 1:  # a decoding step; one-token prompts are not recorded
                return
            order = ids.argsort(-1)
            biased = (logits.sigmoid() + router.e_score_correction_bias).sort(-1, descending=True).values
            self.layers[index] = {
                "topk_ids": ids.gather(1, order).to(torch.uint8),
                "topk_weights": weights.gather(1, order).float(),
                "margin": biased[:, router.top_k - 1] - biased[:, router.top_k],
            }

        return record


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # the order of sums, and so the last bits, must not depend on the machine's cores
    model, info = Glm4MoeForCausalLM.from_pretrained(args.checkpoint, dtype=torch.float32, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"], info
    model.eval()
    tokenizer = Tokenizer.from_file(str(args.checkpoint / "tokenizer.json"))
    recorder = RouterRecorder(model)
    rows, logits, routing = [], {}, {}
    for name, text in prompts(args.corpus, tokenizer):
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        all_logits, new_ids, margin = continuation(model, tokenizer, ids, stop_of(name))
        if name in LOGIT_PROMPTS:
            positions = torch.linspace(0, len(ids) - 1, LOGIT_POSITIONS).round().long()
            logits[f"{name}.positions"], logits[f"{name}.logits"] = positions.int(), all_logits[positions].contiguous()
        if name in ROUTING_PROMPTS:
            for layer, tensors in recorder.layers.items():
                routing.update({f"{name}.layers.{layer}.{key}": value.contiguous() for key, value in tensors.items()})
        row = {"name": name, "text": text, "stop": stop_of(name), "ids": ids}
        if name in LOGIT_PROMPTS:
            row.update(closest_router_call(recorder.layers))
        rows.append({**row, "continuation_ids": new_ids, "smallest_margin": round(margin, 6)})
        print(name, len(ids), len(new_ids), f"{margin:.5f}", flush=True)
    metadata = {"transformers": transformers.__version__, "torch": torch.__version__, "dtype": "float32"}
    save_file(logits, args.out / "logits.safetensors", metadata=metadata)
    save_file(routing, args.out / "routing.safetensors", metadata=metadata)
    with open(args.out / "completions.jsonl", "w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
