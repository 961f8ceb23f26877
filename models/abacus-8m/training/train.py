"""Trains abacus-8m and writes a Hugging Face checkpoint with the log of its training.

    python train.py --corpus DIR --tokenizer DIR --out DIR --steps 6000

Needs torch, numpy, safetensors and tokenizers. Fixed seeds fix the data, the initial weights and the schedule; a GPU's
sums still differ in the last bits between machines, so another run gives a model of the same quality, not the same bits.
"""

import argparse
import json
import platform
import shutil
import sys
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from tokenizers import Tokenizer

import measure
from architecture import CONFIG, Model, checkpoint_tensors
from corpus import read_problems
from dataset import PackedDocuments, batches
from evaluate import Evaluator
from inference import Inference
from optimizer import Optimizer
from styles import DocumentWriter


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True, help="folder written by corpus.ts")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder written by tokenizer.py")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=int, default=64, help="sequences per step")
    parser.add_argument("--length", type=int, default=CONFIG["max_position_embeddings"], help="tokens per sequence")
    parser.add_argument("--matrix-rate", type=float, default=0.02, help="Muon's learning rate")
    parser.add_argument("--other-rate", type=float, default=0.003, help="Adam's learning rate")
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--warmup", type=int, default=100, help="steps")
    parser.add_argument("--hold", type=float, default=0.35, help="part of the steps before the rate falls linearly to 0")
    parser.add_argument("--bias-spread", type=float, default=0.15, help="largest fixed offset of the correction bias")
    parser.add_argument("--bias-correction", type=float, default=0.05, help="largest deviation from the fixed offset")
    parser.add_argument("--bias-rate", type=float, default=0.001, help="step of the deviation")
    parser.add_argument("--balance", type=float, default=0.1, help="weight of the balance loss")
    parser.add_argument("--candidates", type=float, nargs="*", default=[], help="parts of the steps after which to keep a checkpoint too")
    parser.add_argument("--look", type=int, default=200, help="problems for the quick look at each candidate")
    parser.add_argument("--share", type=float, default=1.0, help="part of the problems of the final measurement; 0 skips it")
    parser.add_argument("--max-seconds", type=float, default=float("inf"), help="stop the training early after this time")
    parser.add_argument("--workers", type=int, default=14)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


class Clock:
    def __init__(self):
        self.start = time.time()

    def say(self, *parts):
        print(f"[{time.time() - self.start:6.1f}]", *parts, flush=True)


def rate_factor(step, args):
    """Warm-up, a plateau, then a straight line to 0."""
    done = step / args.steps
    fall = 1.0 if done < args.hold else (1 - done) / (1 - args.hold)
    return max(0.002, min((step + 1) / args.warmup, fall))


def make_step(model, balance):
    def losses(ids, weights):
        """Weighted loss to minimise, expert loads, and for the log: loss of the answers, balance loss."""
        ids = ids.long()
        logits, loads, balance_loss = model(ids[:, :-1])
        each = F.cross_entropy(logits.float(), ids[:, 1:].reshape(-1), reduction="none")
        weights = weights.reshape(-1)
        loss = (each * weights).sum() / weights.sum()
        answers = (weights == 1).float()
        answer_loss = (each * answers).sum() / answers.sum().clamp(min=1)
        return loss + balance * balance_loss, loads, torch.stack([loss.detach(), answer_loss.detach(), balance_loss.detach()])

    return torch.compile(losses, dynamic=False) if next(model.parameters()).is_cuda else losses


@torch.no_grad()
def correct_bias(model, loads, rate, limit):
    """A small step against the load, centred, and never far from the fixed offset: the balance loss does the main part."""
    for mlp, load in zip(model.moe_mlps, loads):
        step = torch.sign(1 - load)
        mlp.correction.add_((step - step.mean()) * rate).clamp_(-limit, limit)


def write_checkpoint(model, folder, tokenizer_folder):
    folder.mkdir(parents=True, exist_ok=True)
    tensors = checkpoint_tensors(model)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.copy(tokenizer_folder / name, folder / name)
    return tensors


def train(args, clock, look):
    torch.manual_seed(args.seed)
    exemplars = json.loads((args.corpus / "exemplars.json").read_text())
    writer = DocumentWriter(read_problems(args.corpus, "synth-train"), read_problems(args.corpus, "gsm8k-train"), exemplars)
    clock.say(f"{len(writer.synthetic)} synthetic and {len(writer.real)} real problems")
    dataset = PackedDocuments(writer, args.tokenizer / "tokenizer.json", args.batch, args.length, args.seed)
    loader = iter(batches(dataset, args.steps, args.workers))  # forks before the GPU is touched

    model = Model(args.length, args.bias_spread, torch.Generator().manual_seed(args.seed)).to(args.device)
    parameters = sum(p.numel() for p in model.parameters()) + sum(mlp.bias.numel() for mlp in model.moe_mlps)
    clock.say(f"{parameters} parameters on {args.device}")
    cuda = args.device == "cuda"
    optimizer = Optimizer(model, args.matrix_rate, args.other_rate, args.weight_decay, compiled=cuda)
    losses = make_step(model, args.balance)
    candidates, curve, looks, begun = sorted(args.candidates), [], [], None
    step = 0
    for step, (ids, weights) in enumerate(loader):
        if step == 5:
            begun = time.time()
            clock.say("compiled")
        factor = rate_factor(step, args)
        loss, loads, parts = losses(ids.to(args.device, non_blocking=True), weights.to(args.device, non_blocking=True))
        loss.backward()
        optimizer.step(factor)
        correct_bias(model, loads, args.bias_rate * min(1.0, 2 * factor), args.bias_correction)
        if (step + 1) % 100 == 0 or step < 3:
            loss, answer_loss, balance = parts.tolist()
            seconds = time.time() - (begun or time.time())
            row = {"step": step + 1, "seconds": round(seconds, 1), "loss": round(loss, 4), "answer_loss": round(answer_loss, 4)}
            row |= {"balance": round(balance, 4), "load_max": round(loads.max().item(), 2), "load_min": round(loads.min().item(), 2)}
            curve.append(row)
            if (step + 1) % 500 == 0 or step < 300:
                speed = (step - 4) * args.batch * args.length / max(seconds, 1e-9) / 1e6
                clock.say(f"{json.dumps(row)} rate {factor:.3f} {speed:.2f} M tokens/s")
            if seconds > args.max_seconds:
                clock.say("time is up")
                break
        if candidates and step + 1 >= candidates[0] * args.steps:
            part = candidates.pop(0)
            tensors = write_checkpoint(model, args.out / f"candidate-{part}", args.tokenizer)
            looks.append(look(tensors, f"after {part} of the steps"))
    steps = step + 1
    if cuda:
        torch.cuda.synchronize()
    log = {
        "parameters": parameters,
        "steps": steps,
        "tokens": steps * args.batch * args.length,
        "seconds": round(time.time() - (begun or clock.start), 1),
        "final_loss": curve[-1] if curve else None,
        "arguments": {k: v for k, v in vars(args).items() if k not in ("corpus", "tokenizer", "out")},
        "hardware": torch.cuda.get_device_name() if cuda else platform.processor(),
        "peak_gpu_bytes": torch.cuda.max_memory_allocated() if cuda else 0,
        "versions": {"python": sys.version.split()[0], "torch": torch.__version__},
        "correction_bias": [[round(x, 4) for x in mlp.bias.tolist()] for mlp in model.moe_mlps],
        "looks": looks,
        "curve": curve,
    }
    return model, log


def main():
    args, clock = parse_arguments(), Clock()
    evaluator = Evaluator(Tokenizer.from_file(str(args.tokenizer / "tokenizer.json")), CONFIG["eos_token_id"], chunk=512)
    material = measure.Material(args.corpus, args.share)

    def look(tensors, name):
        result, _ = evaluator.run(Inference(tensors, args.device), name, material.choice[: args.look], material.pool, 3)
        clock.say(json.dumps(result))
        return result

    model, log = train(args, clock, look)
    tensors = write_checkpoint(model, args.out, args.tokenizer)
    results, samples = [], []

    def save():
        (args.out / "training.json").write_text(json.dumps({**log, "measured": results}, indent=1) + "\n")
        (args.out / "samples.json").write_text(json.dumps(samples, indent=1) + "\n")

    def report(outcome):
        result, rows = outcome
        results.append(result)
        samples.extend({"name": result["name"], "prompt": p, "completion": c, **m} for p, c, m in rows[:6])
        clock.say(json.dumps(result))
        save()

    save()
    clock.say(f"trained {log['steps']} steps, {log['tokens'] / 1e6:.0f} M tokens in {log['seconds']} s")
    if args.share > 0:
        measure.measure(lambda variant: Inference(tensors, args.device, variant), evaluator, material, report)


if __name__ == "__main__":
    main()
