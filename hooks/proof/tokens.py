"""Writes tokens.json: the prompts and completions that the proof runs, as the embedded engine ran them.

python hooks/proof/tokens.py RUN_FOLDER... where each folder is of `fusecheck eval --task gsm_synth --fused`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from fusecheck_tap import read_safetensors  # noqa: E402 (the tap lies beside this folder, not in a package)


def docs_of(run: Path) -> list[dict[str, object]]:
    """Each doc's tokens as run: the prompt, and the completion without its last token."""
    tensors, _ = read_safetensors(run / "baseline" / "routing.safetensors")
    rows = map(json.loads, (run / "baseline" / "completions.jsonl").read_text().splitlines())
    prompt_tokens = {row["doc_id"]: row["outcome"]["prompt_tokens"] for row in rows}
    return [
        {
            "doc_index": doc,
            "prompt_tokens": prompt_tokens[doc],
            "input_ids": tensors["input_ids"][tensors["doc_index"] == doc].tolist(),
        }
        for doc in sorted(prompt_tokens)
    ]


if __name__ == "__main__":
    sets = {run.name: docs_of(run) for run in map(Path, sys.argv[1:])}
    (HERE / "tokens.json").write_text(json.dumps(sets) + "\n")
