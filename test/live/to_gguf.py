"""Converts models/abacus-8m (or another GLM-4 MoE checkpoint with a tokenizer of its own) to GGUF, with llama.cpp's own converter.

    python test/live/to_gguf.py LLAMA_CPP CHECKPOINT OUT.gguf [--outtype f32|f16]

LLAMA_CPP is a checkout of llama.cpp, such as vendor/llama.cpp in the sdist of llama-cpp-python; the Python needs torch and
transformers. The one thing that the converter cannot know: it tells how a tokenizer cuts text into words by a hash over a
list of published models, and this tokenizer is not in it. Of the ways that llama.cpp has, "qwen2" cuts as this one does
(digits alone, words with one character before them) in all but 2 of GSM8K's 17,584 texts: one has 'ts, which "qwen2" cuts
after the t, one a line separator of Unicode. It keeps line breaks with the punctuation before them, which changes no token:
no merge of this vocabulary reaches across.
"""

import sys
from pathlib import Path

WORDS = "qwen2"


def main() -> None:
    llama_cpp, checkpoint, out, *rest = sys.argv[1:]
    sys.path.insert(0, llama_cpp)
    sys.path.insert(1, str(Path(llama_cpp) / "gguf-py"))
    from conversion import base

    base.TextModel.get_vocab_base_pre = lambda self, tokenizer: WORDS
    import convert_hf_to_gguf

    sys.argv = ["convert_hf_to_gguf.py", checkpoint, "--outfile", out, *(rest or ["--outtype", "f32"])]
    convert_hf_to_gguf.main()


if __name__ == "__main__":
    main()
