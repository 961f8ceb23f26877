"""Measures a checkpoint: accuracy per task and shots, format, faults of the router, expert load, effect of the bias.

    python measure.py --checkpoint DIR --corpus DIR --out measured.json
"""

import argparse
import json
import time
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from architecture import CONFIG, EXPERTS
from corpus import read_problems
from evaluate import Evaluator
from inference import Inference, RouterVariant

FAULTS = {
    "no fault": RouterVariant(),
    "bias dropped": RouterVariant(use_bias=False),
    "top-3": RouterVariant(top_k=3),
    "top-5": RouterVariant(top_k=5),
    "top-2": RouterVariant(top_k=2),
    "softmax scores": RouterVariant(softmax=True),
    "not renormalised": RouterVariant(renormalise=False),
    "scale 1.0": RouterVariant(scale=1.0),
    "no shared expert": RouterVariant(shared_expert=False),
    "random experts": RouterVariant(random_experts=True),
}


class Material:
    """The problems that checkpoints are measured on; `share` shrinks every set for quick looks."""

    def __init__(self, corpus, share=1.0):
        def some(name, limit):
            return read_problems(corpus, name, limit=max(8, int(limit * share)))

        self.pool = read_problems(corpus, "synth-train", limit=2000)
        self.choice, self.fresh = some("synth-choice", 1000), some("synth-fresh", 1000)
        self.real_pool, self.real = read_problems(corpus, "gsm8k-train"), some("gsm8k-test", 1319)
        self.exemplars = json.loads((corpus / "exemplars.json").read_text())


def measure(inference_of, evaluator, material, report, fault_problems=500):
    """`inference_of(variant)` makes an Inference; `report` is called with each result as it comes."""
    run, m, base = evaluator.run, material, inference_of(RouterVariant())
    half, quarter = m.fresh[: len(m.fresh) // 2], m.real[:200]

    report(run(base, "gsm_synth, 3-shot, problems of the choice", m.choice, m.pool, 3))
    report(({"name": "routing on gsm_synth prompts", **routing_facts(base)}, []))
    report(run(base, "gsm_synth, 3-shot, fresh seed", m.fresh, m.pool, 3, seed=2))
    for shots in (0, 1, 5):
        report(run(base, f"gsm_synth, {shots}-shot", half, m.pool, shots))
    report(run(base, "gsm_synth, 3 real shots", half, m.real_pool, 3))
    report(run(base, "gsm_synth, 3-shot, chat", half, m.pool, 3, chat=True))
    base.reset_statistics()
    report(run(base, "gsm8k, 3-shot", m.real, m.real_pool, 3))
    report(({"name": "routing on gsm8k prompts", **routing_facts(base)}, []))
    report(run(base, "gsm8k, 5-shot", m.real, m.real_pool, 5))
    for task, key in (("gsm8k_cot", "cot"), ("gsm8k_cot_llama", "llama")):
        report(run(base, f"{task} on gsm8k, 8 exemplars", quarter, [], 8, task=task, exemplars=m.exemplars[key]))
        report(run(base, f"{task} on gsm8k, 8 exemplars, chat", quarter, [], 8, task=task, exemplars=m.exemplars[key], chat=True))
        report(run(base, f"{task} on gsm_synth, 8 exemplars", half[:200], [], 8, task=task, exemplars=m.exemplars[key]))
    report(run(base, "gsm8k_cot_zeroshot on gsm8k", quarter, [], 0, task="gsm8k_cot_zeroshot"))
    report(run(base, "gsm8k_cot_zeroshot on gsm_synth", half[:200], [], 0, task="gsm8k_cot_zeroshot"))
    for fault, variant in FAULTS.items():
        report(run(inference_of(variant), f"gsm_synth, 3-shot, {fault}", m.choice[:fault_problems], m.pool, 3))


def routing_facts(inference):
    """Per MoE layer: largest and smallest expert load (1 = even), share of tokens whose experts change without the bias."""
    first = CONFIG["first_k_dense_replace"]
    load = inference.load[first:]
    load = load / load.sum(1, keepdim=True) * EXPERTS
    changed = inference.changed[first:] / inference.tokens
    return {
        "tokens": inference.tokens,
        "load_max": [round(x, 3) for x in load.amax(1).tolist()],
        "load_min": [round(x, 3) for x in load.amin(1).tolist()],
        "changed_without_bias": [round(x, 4) for x in changed.tolist()],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--share", type=float, default=1.0, help="part of every set of problems to use")
    parser.add_argument("--chunk", type=int, default=512, help="prompts at once")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = parser.parse_args()
    tensors = load_file(args.checkpoint / "model.safetensors")
    evaluator = Evaluator(Tokenizer.from_file(str(args.checkpoint / "tokenizer.json")), CONFIG["eos_token_id"], args.chunk)
    results, start = [], time.time()

    def report(outcome):
        results.append(outcome[0])
        print(f"[{time.time() - start:6.1f}]", json.dumps(outcome[0]), flush=True)
        args.out.write_text(json.dumps(results, indent=1) + "\n")

    measure(lambda variant: Inference(tensors, args.device, variant), evaluator, Material(args.corpus, args.share), report)


if __name__ == "__main__":
    main()
