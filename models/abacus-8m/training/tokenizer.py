"""Trains the tokenizer of abacus-8m and writes tokenizer.json, tokenizer_config.json and generation_config.json.

    python tokenizer.py --corpus DIR --out DIR

Byte-level BPE with 2048 entries. Each digit is a token of its own, so that the model sees columns of digits rather than
arbitrary chunks of numbers. Newlines are never merged with the sentence before them: a text made of a question, an answer
and a separator has the same ids whether it is encoded whole or part by part, which the training data relies on.
"""

import argparse
import json
import random
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from corpus import read_problems
from styles import COT_HEADER, GSM8K_HEADER, LLAMA_HEADER, STEP_BY_STEP_HEADER

VOCAB_SIZE = 2048
END_OF_TEXT = "<|endoftext|>"
# Names and order of GLM-4's special tokens, as far as a text model needs them.
SPECIAL_TOKENS = [END_OF_TEXT, "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"]

# ASCII whitespace is spelled out: `\s` differs between regular expression engines (U+0085, U+FEFF), and the ids must not.
PRETOKEN = (
    r"[^ \t\r\n\p{L}\p{N}]?\p{L}+"  # a word with one leading symbol ...
    r"| ?\p{L}+"  # ... or one leading space
    r"|\p{N}"  # one digit
    r"| ?[^ \t\r\n\p{L}\p{N}]+"  # symbols
    r"|[ \t]*[\r\n]+"  # line ends
    r"|[ \t]+(?![^ \t\r\n])"  # blanks, all but the last before a word
    r"|[ \t]+"
)

CHAT_TEMPLATE = """[gMASK]<sop>
{%- for message in messages -%}
{%- if message['role'] == 'system' -%}{{ '<|system|>\\n' + message['content'] }}
{%- elif message['role'] == 'user' -%}{{ '<|user|>\\n' + message['content'] }}
{%- elif message['role'] == 'assistant' -%}{{ '<|assistant|>\\n' + message['content'] }}
{%- elif message['role'] == 'tool' -%}{{ '<|observation|>\\n' + message['content'] }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|assistant|>\\n' }}{%- endif -%}"""


def train(texts):
    tokenizer = Tokenizer(models.BPE())
    byte_level = {"add_prefix_space": False, "use_regex": False}
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(PRETOKEN), "isolated"), pre_tokenizers.ByteLevel(**byte_level)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    assert tokenizer.get_vocab_size() == VOCAB_SIZE, tokenizer.get_vocab_size()
    return tokenizer


def training_texts(corpus, synthetic, seed):
    """Real problems weigh about as much as synthetic ones: they are the ones that fill the context."""
    rng = random.Random(seed)
    problems = read_problems(corpus, "synth-train", limit=synthetic) + 2 * read_problems(corpus, "gsm8k-train")
    for problem in problems:
        yield f"Question: {problem['question']}\nAnswer: {problem['answer']}\n\n"
        if rng.random() < 0.02:  # the fixed sentences of the prompt styles become a few long tokens
            header = rng.choice([GSM8K_HEADER, COT_HEADER, STEP_BY_STEP_HEADER, LLAMA_HEADER])
            yield header.format(question=problem["question"]) + " The answer is 1.\nThe final answer is 1\n\n"


def write_configs(out, tokenizer):
    ids = {token: tokenizer.token_to_id(token) for token in SPECIAL_TOKENS}
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "added_tokens_decoder": {
            str(index): {"content": token, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
            for token, index in ids.items()
        },
        "additional_special_tokens": SPECIAL_TOKENS[1:],
        "bos_token": None,
        "eos_token": END_OF_TEXT,
        "pad_token": END_OF_TEXT,
        "unk_token": None,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": 2048,
        "chat_template": CHAT_TEMPLATE,
    }
    generation = {
        "do_sample": False,
        # A turn of a conversation ends where the next speaker's token stands, as in GLM-4.
        "eos_token_id": [ids[END_OF_TEXT], ids["<|user|>"], ids["<|observation|>"]],
        "pad_token_id": ids[END_OF_TEXT],
    }
    for name, content in (("tokenizer_config.json", config), ("generation_config.json", generation)):
        (out / name).write_text(json.dumps(content, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--synthetic", type=int, default=20_000, help="synthetic problems to learn the merges from")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    tokenizer = train(training_texts(args.corpus, args.synthetic, args.seed))
    tokenizer.save(str(args.out / "tokenizer.json"))
    write_configs(args.out, tokenizer)
    print(f"wrote {args.out}/tokenizer.json with {tokenizer.get_vocab_size()} entries")


if __name__ == "__main__":
    main()
