# SPDX-License-Identifier: Apache-2.0
"""Fits the classifier on one thread; the same seed and data give the same weights but for
`pieces_dropped`."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from bls.guard.normal import normal
from export.guard.attacks import TRAINED
from export.guard.config import GuardConfig
from export.guard.network import Classifier
from export.guard.sources import Labelled

I64 = NDArray[np.int64]
_POOL = 24
"""Batches that are sorted by length together."""


def fit(
    texts: Sequence[Labelled], tokenizer: Tokenizer, config: GuardConfig, seed: int
) -> Classifier:
    """The trained network, in evaluation mode."""
    torch.manual_seed(seed)
    torch.set_num_threads(config.threads)
    rng = random.Random(seed)
    model = Classifier(config, tokenizer.get_vocab_size())
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.rate, weight_decay=0.02)
    steps = config.epochs * len(_batches(epoch(texts, config, random.Random(seed)), config, rng))
    steps = min(steps, config.max_steps or steps)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.rate, total_steps=steps)
    done = 0
    for number in range(config.epochs):
        losses = []
        for batch in _batches(epoch(texts, config, rng), config, rng):
            if done == steps:
                break
            loss = _step(model, _tensors(batch, tokenizer, config, rng), config)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
            done += 1
        print(f"epoch {number + 1}: loss {np.mean(losses or [0.0]):.4f}", flush=True)
    tokenizer.model.dropout = None
    model.eval()
    return model


def epoch(texts: Sequence[Labelled], config: GuardConfig, rng: random.Random) -> list[Labelled]:
    """All texts but chats, and some chats: there are many and they are alike."""
    chats = [one for one in texts if one.source == "chats"]
    rest = [one for one in texts if one.source != "chats"]
    found = rest + rng.sample(chats, min(config.chats, len(chats)))
    rng.shuffle(found)
    return found


def encode(texts: Sequence[str], tokenizer: Tokenizer, tokens: int) -> tuple[I64, I64]:
    """ids and mask of normal forms, int64 [n, L], L at most `tokens`."""
    rows = [one.ids[:tokens] for one in tokenizer.encode_batch(list(texts))]
    ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    mask = np.zeros_like(ids)
    for at, row in enumerate(rows):
        ids[at, : len(row)], mask[at, : len(row)] = row, 1
    return ids, mask


def _batches(
    texts: Sequence[Labelled], config: GuardConfig, rng: random.Random
) -> list[list[Labelled]]:
    """Texts of about one length together, in random order."""
    found = []
    pool = config.batch * _POOL
    for first in range(0, len(texts), pool):
        part = sorted(texts[first : first + pool], key=lambda one: len(one.text))
        found += [part[at : at + config.batch] for at in range(0, len(part), config.batch)]
    rng.shuffle(found)
    return found


def _tensors(
    batch: Sequence[Labelled], tokenizer: Tokenizer, config: GuardConfig, rng: random.Random
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    tokenizer.model.dropout = config.pieces_dropped or None
    ids, mask = encode(list(_written(batch, config, rng)), tokenizer, config.tokens)
    labels = torch.tensor([float(one.unsafe) for one in batch])
    weights = torch.tensor([config.weights.get(one.source, 1.0) for one in batch])
    return torch.from_numpy(ids), torch.from_numpy(mask), labels, weights


def _written(batch: Sequence[Labelled], config: GuardConfig, rng: random.Random) -> Iterator[str]:
    """Normal forms, some after an attack; of a long ad, a random piece."""
    for one in batch:
        text = one.text
        if len(text) > 300:
            first = rng.randrange(len(text) - 200)
            text = text[first : first + 300]
        if rng.random() < config.attacked:
            text = TRAINED[rng.choice(list(TRAINED))](text, rng)
        yield normal(text)


def _step(
    model: Classifier, tensors: tuple[Tensor, Tensor, Tensor, Tensor], config: GuardConfig
) -> Tensor:
    ids, mask, labels, weights = tensors
    smooth = labels * 0.98 + 0.01
    each = nn.functional.binary_cross_entropy_with_logits(
        model(ids, mask), smooth, reduction="none"
    )
    return (each * weights).sum() / weights.sum()
