"""Few-shot prompts as lm-evaluation-harness builds them, and its two filters with exact match, for measuring checkpoints.

The shots are drawn with Python's generator from the train problems; the evaluation proper lives in `tasks/`.
"""

import math
import random
import re
from dataclasses import dataclass

from styles import COT, GSM8K, LLAMA, SEPARATOR, STEP_BY_STEP, split_answer, target

CONTEXT = 2048
MAX_NEW = 256


@dataclass(frozen=True)
class Task:
    style: object
    strict: str  # regular expression
    strict_pick: int  # which match counts
    stops: tuple[str, ...]
    exemplars: str | None = None


TASKS = {
    "gsm8k": Task(GSM8K, r"#### (\-?[0-9\.\,]+)", 0, ("Question:",)),
    "gsm8k_cot": Task(COT, r"The answer is (\-?[0-9\.\,]+)[^\n]", 0, ("Q:",), "cot"),
    "gsm8k_cot_zeroshot": Task(STEP_BY_STEP, r"The answer is (\-?[0-9\.\,]+)[^\n]", 0, ("Q:",)),
    "gsm8k_cot_llama": Task(LLAMA, r"The final answer is ((?:-?[$0-9.,]{2,})|(?:-?[0-9]+))", -1, ("Q:",), "llama"),
}
FLEXIBLE = r"-?[$0-9.,]{2,}|-?[0-9]+"


def completion_prompt(style, shots, question):
    asked = [style.header.format(question=q) + style.delimiter + a for q, a in shots]
    return SEPARATOR.join([*asked, style.header.format(question=question)])


def chat_prompt(style, shots, question):
    turns = "".join(f"<|user|>\n{style.header.format(question=q)}<|assistant|>\n{a}" for q, a in shots)
    return f"[gMASK]<sop>{turns}<|user|>\n{style.header.format(question=question)}<|assistant|>\n"


def build_prompts(task, docs, pool, shots, seed=1, chat=False, exemplars=None):
    rng = random.Random(seed)
    build = chat_prompt if chat else completion_prompt
    prompts = []
    for doc in docs:
        if exemplars is None:
            examples = [(p["question"], target(task.style, p["answer"])) for p in rng.sample(pool, shots)]
        else:
            examples = [(e["question"], e["target"]) for e in exemplars[:shots]]
        prompts.append(build(task.style, examples, doc["question"]))
    return prompts


def normal(text):
    return re.sub(r"\.$", "", text.replace(",", "").replace("$", "")).lower()


def pick_number(pattern, text, index):
    found = re.findall(pattern, text)
    return found[index] if found else None


def score(task, completion, doc):
    gold = normal(split_answer(doc["answer"])[1])
    strict = pick_number(task.strict, completion, task.strict_pick)
    flexible = pick_number(FLEXIBLE, completion, -1)
    return {"strict": strict is not None and normal(strict) == gold, "flexible": flexible is not None and normal(flexible) == gold, "found": strict is not None}


class Evaluator:
    """Runs prompts through an `Inference` and marks what comes back."""

    def __init__(self, tokenizer, end_ids, chunk):
        self.tokenizer, self.end_ids, self.chunk = tokenizer, end_ids, chunk

    def encode(self, texts):
        return [e.ids for e in self.tokenizer.encode_batch(texts, add_special_tokens=False)]

    def complete(self, inference, prompts, stops):
        """(text up to the stop, whether it ended by itself, prompt tokens) per prompt; None where the prompt does not fit."""
        ids = self.encode(prompts)
        stop_ids = {tuple(self.encode([variant])[0]) for stop in stops for variant in (stop, " " + stop)}
        fits = [i for i in range(len(ids)) if len(ids[i]) < CONTEXT]
        fits.sort(key=lambda i: len(ids[i]))
        done = [None] * len(ids)
        for start in range(0, len(fits), self.chunk):
            part = fits[start : start + self.chunk]
            rows = inference.generate([ids[i] for i in part], MAX_NEW, self.end_ids, [list(s) for s in stop_ids])
            for i, row in zip(part, rows):
                row = row[: CONTEXT - len(ids[i])]
                text = self.tokenizer.decode(row, skip_special_tokens=True)
                cut = min([text.find(s) for s in stops if s in text], default=len(text))
                done[i] = (text[:cut], len(row) < MAX_NEW, len(ids[i]))
        return done

    def run(self, inference, name, docs, pool, shots, task="gsm8k", exemplars=None, **options):
        rule = TASKS[task]
        prompts = build_prompts(rule, docs, pool, shots, exemplars=exemplars, **options)
        answers = self.complete(inference, prompts, rule.stops)
        missed = {"strict": False, "flexible": False, "found": False}
        marks = [missed if a is None else score(rule, a[0], d) for a, d in zip(answers, docs)]
        n, answered = len(docs), [a for a in answers if a is not None]
        result = {"name": name, "task": task, "n": n, "shots": shots}
        for key in ("strict", "flexible", "found"):
            share = sum(m[key] for m in marks) / n
            result[key] = round(share, 4)
            if key != "found":
                result[f"{key}_stderr"] = round(math.sqrt(share * (1 - share) / (n - 1)), 4)
        result["ended"] = round(sum(a[1] for a in answered) / n, 4)
        result["too_long"] = n - len(answered)
        result["mean_prompt_tokens"] = round(sum(a[2] for a in answered) / max(1, len(answered)), 1)
        return result, [(p, a[0] if a else None, m) for p, a, m in zip(prompts, answers, marks)]
