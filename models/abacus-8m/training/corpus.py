"""Reads the files that corpus.ts wrote: one problem per line, plain JSON Lines or the same compressed with xz."""

import json
import lzma
from itertools import islice


def read_problems(folder, name, limit=None):
    """Problems of `name` (all files `name*.jsonl` and `name*.jsonl.xz` in order), at most `limit`."""
    files = sorted(list(folder.glob(f"{name}*.jsonl")) + list(folder.glob(f"{name}*.jsonl.xz")))
    if not files:
        raise SystemExit(f"no {name}*.jsonl in {folder}: run corpus.ts first")
    problems = []
    for file in files:
        opener = lzma.open if file.suffix == ".xz" else open
        with opener(file, "rt", encoding="utf-8") as lines:
            room = None if limit is None else limit - len(problems)
            problems.extend(json.loads(line) for line in islice(lines, room))
    return problems
