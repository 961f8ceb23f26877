"""Batches of token ids: documents written, encoded and packed by worker processes while the GPU computes."""

import random

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.utils.data import DataLoader, Dataset


class PackedDocuments(Dataset):
    """Item i is the batch of step i, and depends on the seed and i alone, whichever worker makes it."""

    def __init__(self, writer, tokenizer_file, batch, length, seed):
        self.writer, self.tokenizer_file = writer, str(tokenizer_file)
        self.batch, self.length, self.seed = batch, length, seed
        self.tokenizer = None

    def __getitem__(self, step):
        if self.tokenizer is None:  # one per worker: a tokenizer made before the fork would share its locks
            self.tokenizer = Tokenizer.from_file(self.tokenizer_file)
        rng = random.Random(f"{self.seed}/{step}")
        ids = np.empty((self.batch, self.length + 1), np.int16)
        weights = np.empty((self.batch, self.length + 1), np.float32)
        for row in range(self.batch):
            ids[row], weights[row] = self.sequence(rng)
        return torch.from_numpy(ids), torch.from_numpy(weights[:, 1:])

    def sequence(self, rng):
        """Whole documents one after the other, the last one cut. Each sequence starts with a new document."""
        room = self.length + 1
        ids, weights = [], []
        while len(ids) < room:
            texts, shares = zip(*self.writer.document(rng))
            for encoding, share in zip(self.tokenizer.encode_batch(texts, add_special_tokens=False), shares):
                ids += encoding.ids
                weights += [share] * len(encoding.ids)
        return ids[:room], weights[:room]


def batches(dataset, steps, workers):
    return DataLoader(
        dataset,
        batch_size=None,
        sampler=range(steps),
        num_workers=workers,
        prefetch_factor=6 if workers else None,
        pin_memory=torch.cuda.is_available(),
    )
