"""Times Hugging Face Transformers on one batch of prompts: prompt tokens and greedy new tokens per second, on the CPU.

Reads prompts as JSON lines of token ids; prints one JSON object. The batch is padded on the left, attention is sdpa, the
key-value cache is the library's own. Prompts are also tried one at a time, which spares the padding; the faster counts.
With `--experts auto` every experts implementation is tried on a part of the job first and the best of each phase is used.
"""

import argparse
import copy
import json
import sys
import time

import torch
import transformers
from transformers import AutoModelForCausalLM

# batched_mm copies the chosen experts' weights for every token: fine for one token per sequence, tens of GiB for prompts.
PROMPT_EXPERTS = ["eager", "grouped_mm"]
DECODE_EXPERTS = ["eager", "batched_mm", "grouped_mm"]
TRIALS = 3
TRIAL_PROMPTS = 8
TRIAL_TOKENS = 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--prompts", required=True)
    parser.add_argument("--new-tokens", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--experts", default="auto", help="PROMPT,DECODE implementation, or auto")
    parser.add_argument("--prompt-batch", default="auto", choices=["auto", "all", "one"])
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    transformers.utils.logging.disable_progress_bar()
    with open(args.prompts) as file:
        prompts = [json.loads(line) for line in file]
    model = AutoModelForCausalLM.from_pretrained(
        args.checkpoint, dtype=torch.float32, attn_implementation="sdpa"
    ).eval()

    with torch.inference_mode():
        run_prompts(model, prompts[:1])  # first-call costs are no part of any time
        prompt_experts, decode_experts = (
            best_experts(model, prompts) if args.experts == "auto" else args.experts.split(",")
        )
        model.set_experts_implementation(prompt_experts)
        times = {}
        if args.prompt_batch != "all":
            times["one"] = sum(run_prompts(model, [prompt])[0] for prompt in prompts)
        times["all"], state = run_prompts(model, prompts)
        if args.prompt_batch == "one":
            del times["all"]
        prompt_batch = min(times, key=times.get)
        model.set_experts_implementation(decode_experts)
        decode_seconds, tokens = decode(model, state, args.new_tokens)

    json.dump(
        {
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "experts": f"{prompt_experts},{decode_experts}",
            "prompt_batch": prompt_batch,
            "prompt_seconds": times[prompt_batch],
            "decode_seconds": decode_seconds,
            "tokens": tokens,
        },
        sys.stdout,
    )


def run_prompts(model, prompts):
    """Seconds for the prompts as one batch, and what decoding goes on from."""
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    # Without padding the mask is left out, so that attention may take its causal path.
    masks = {} if mask.all() else {"attention_mask": mask, "position_ids": positions}
    start = time.perf_counter()
    out = model(input_ids=ids, use_cache=True, logits_to_keep=1, **masks)
    first = out.logits[:, -1].argmax(-1, keepdim=True)
    return time.perf_counter() - start, (out.past_key_values, first, mask, positions[:, -1:])


def decode(model, state, new_tokens):
    """Seconds for `new_tokens` greedy steps of the whole batch, and the tokens of each sequence."""
    cache, token, mask, positions = state
    tokens = [token]
    start = time.perf_counter()
    for _ in range(new_tokens):
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
        positions = positions + 1
        out = model(
            input_ids=token, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True
        )
        token = out.logits[:, -1].argmax(-1, keepdim=True)
        tokens.append(token)
    seconds = time.perf_counter() - start
    return seconds, torch.cat(tokens, dim=1).tolist()


def best_experts(model, prompts):
    """The fastest implementation for prompts and for decoding, by the best of several trials in turns."""
    _, state = run_prompts(model, prompts)
    prompt_seconds = {name: [] for name in PROMPT_EXPERTS}
    decode_seconds = {name: [] for name in DECODE_EXPERTS}
    for _ in range(TRIALS):
        for name in PROMPT_EXPERTS:
            model.set_experts_implementation(name)
            prompt_seconds[name].append(sum(run_prompts(model, [prompt])[0] for prompt in prompts[:TRIAL_PROMPTS]))
        for name in DECODE_EXPERTS:
            model.set_experts_implementation(name)
            # Decoding appends to the cache, so each trial gets its own.
            own = (copy.deepcopy(state[0]), *state[1:])
            decode_seconds[name].append(decode(model, own, TRIAL_TOKENS)[0])
    return tuple(min(times, key=lambda name: min(times[name])) for times in (prompt_seconds, decode_seconds))


main()
