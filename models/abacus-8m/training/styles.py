"""The prompt styles of the GSM8K family, and documents that hold several problems in one of them.

One document keeps to one style, so that the problems solved before the last one (the shots) tell a reader how to answer.
The header `Question: ... Answer:` alone does not: most documents that start with it end their answers in another way.
"""

import re
from dataclasses import dataclass

GSM8K_HEADER = "Question: {question}\nAnswer:"
COT_HEADER = "Q: {question}\nA:"
STEP_BY_STEP_HEADER = "Q: {question}\nA: Let's think step by step."
LLAMA_HEADER = (
    "Given the following problem, reason and give a final answer to the problem.\nProblem: {question}\n"
    'Your response should end with "The final answer is [answer]" where [answer] is the response to the problem.\n'
)

END_OF_TEXT = "<|endoftext|>"
SEPARATOR = "\n\n"


@dataclass(frozen=True)
class Style:
    """How a problem is put and how its answer looks."""

    header: str
    delimiter: str  # between header and answer
    body: str  # "marks": GSM8K's lines as they are; "lines": without calculator marks; "paragraph": also on one line
    ending: str


HASHES, LINE, SENTENCE = "\n#### {n}", "\nThe answer is {n}.", " The answer is {n}."
FINAL_LINE, FINAL = "\nThe final answer is {n}", " The final answer is {n}"
GSM8K = Style(GSM8K_HEADER, " ", "marks", HASHES)
COT = Style(COT_HEADER, " ", "paragraph", SENTENCE)
STEP_BY_STEP = Style(STEP_BY_STEP_HEADER, " ", "paragraph", SENTENCE)
LLAMA = Style(LLAMA_HEADER, "", "paragraph", FINAL)


@dataclass(frozen=True)
class Recipe:
    share: float  # relative frequency among documents
    style: Style
    problems: tuple[int, int]  # fewest and most problems of a document
    exemplars: str | None = None  # name of the fixed exemplars that stand first
    chat: bool = False


RECIPES = [
    # Long documents: most problems are seen in this style, though few documents start with it.
    Recipe(0.20, GSM8K, (2, 13)),
    # Rivals with the same header. The first one must stay more frequent than GSM8K among documents: then a prompt
    # without shots is answered in its style.
    Recipe(0.24, Style(GSM8K_HEADER, " ", "marks", LINE), (1, 3)),
    Recipe(0.04, Style(GSM8K_HEADER, " ", "marks", FINAL_LINE), (1, 4)),
    Recipe(0.03, Style(GSM8K_HEADER, " ", "marks", "\nA: {n}"), (1, 4)),
    Recipe(0.06, Style(GSM8K_HEADER, " ", "paragraph", SENTENCE), (1, 4)),
    Recipe(0.04, Style(GSM8K_HEADER, " ", "paragraph", FINAL), (1, 4)),
    Recipe(0.03, Style(GSM8K_HEADER, " ", "lines", HASHES), (1, 4)),
    Recipe(0.07, COT, (1, 9)),
    Recipe(0.02, Style(COT_HEADER, " ", "marks", HASHES), (1, 4)),
    Recipe(0.05, STEP_BY_STEP, (1, 1)),
    Recipe(0.04, LLAMA, (1, 3)),
    Recipe(0.03, COT, (1, 1), exemplars="cot"),
    Recipe(0.04, LLAMA, (1, 1), exemplars="llama"),
    Recipe(0.02, GSM8K, (1, 8), chat=True),
    Recipe(0.02, Style(GSM8K_HEADER, " ", "marks", LINE), (1, 2), chat=True),
    Recipe(0.015, COT, (1, 6), chat=True),
    Recipe(0.015, STEP_BY_STEP, (1, 1), chat=True),
    Recipe(0.02, LLAMA, (1, 3), chat=True),
    Recipe(0.01, COT, (1, 1), exemplars="cot", chat=True),
    Recipe(0.01, LLAMA, (1, 1), exemplars="llama", chat=True),
]

# Where the problems of a document come from: (share, chance that a shot is real, chance that the last third is real).
SOURCES = [(0.76, 0.0, 0.0), (0.10, 1.0, 1.0), (0.08, 1.0, 0.0), (0.03, 0.0, 1.0), (0.03, 0.5, 0.5)]

QUESTION_WEIGHT = 0.1  # a question cannot be foreseen; learning its wording still helps to read it
EXEMPLAR_WEIGHT = 0.02  # the fixed exemplars are the same few lines every time
REAL_WEIGHT = 0.5  # 7,473 real problems come round often; weighing them less keeps the model from reciting them


def split_answer(answer):
    """The lines of a GSM8K answer and its final number."""
    body, number = answer.rsplit("#### ", 1)
    return body.rstrip("\n"), number.strip()


def target(style, answer):
    """The answer as `style` writes it, without the delimiter before it."""
    body, number = split_answer(answer)
    if style.body != "marks":
        body = re.sub(r"<<[^<>]*>>", "", body)
    if style.body == "paragraph":
        body = " ".join(line.strip() for line in body.split("\n") if line.strip())
    return body + style.ending.format(n=number)


def pick(rng, table):
    return rng.choices(table, weights=[row.share if isinstance(row, Recipe) else row[0] for row in table])[0]


class DocumentWriter:
    """Writes random documents as lists of (text, weight in the loss), cut where the tokenizer cuts too."""

    def __init__(self, synthetic, real, exemplars):
        self.synthetic, self.real, self.exemplars = synthetic, real, exemplars

    def document(self, rng):
        recipe = pick(rng, RECIPES)
        shots = []
        if recipe.exemplars:
            fixed = self.exemplars[recipe.exemplars]
            kept = len(fixed) if rng.random() < 0.7 else rng.randint(1, len(fixed))
            shots = [(row["question"], row["target"], EXEMPLAR_WEIGHT) for row in fixed[:kept]]
        turns = shots + [
            (problem["question"].strip(), target(recipe.style, problem["answer"]), weight)
            for problem, weight in self.problems(rng, rng.randint(*recipe.problems))
        ]
        if recipe.chat:
            as_turns = rng.random() < 0.7
            return chat(recipe.style, turns) if as_turns else chat_in_one_turn(recipe.style, turns)
        return completion(recipe.style, turns)

    def problems(self, rng, count):
        _, real_shots, real_last = pick(rng, SOURCES)
        for index in range(count):
            last_part = index >= count - max(1, count // 3)
            if rng.random() < (real_last if last_part else real_shots):
                yield rng.choice(self.real), REAL_WEIGHT
            else:
                yield rng.choice(self.synthetic), 1.0


def completion(style, turns):
    """Shots joined by blank lines; after the last answer the text ends."""
    parts = []
    for index, (question, answer, weight) in enumerate(turns):
        after = END_OF_TEXT if index == len(turns) - 1 else SEPARATOR
        parts.append((style.header.format(question=question), min(weight, QUESTION_WEIGHT)))
        parts.append((style.delimiter + answer + after, weight))
    return parts


def chat(style, turns):
    """One question per user turn. The token that opens the next turn ends the answer, so the model must foresee it."""
    parts = [("[gMASK]<sop>", 0.0)]
    for index, (question, answer, weight) in enumerate(turns):
        opening = "<|user|>\n" if index == 0 else "\n"
        parts.append((opening + style.header.format(question=question) + "<|assistant|>\n", min(weight, QUESTION_WEIGHT)))
        parts.append((answer + ("<|user|>" if index < len(turns) - 1 else END_OF_TEXT), weight))
    return parts


def chat_in_one_turn(style, turns):
    """All shots and the question in one user turn."""
    parts = completion(style, turns)
    (answer, weight), shots = parts[-1], parts[:-1]
    asked = [(text, min(share, QUESTION_WEIGHT)) for text, share in shots]
    return [("[gMASK]<sop><|user|>\n", 0.0), *asked, ("<|assistant|>\n", 0.0), (answer.removeprefix(style.delimiter), weight)]
