# SPDX-License-Identifier: Apache-2.0
"""Windows with targets, by split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from bls.condense.spelling import Spelling
from export.errors import ExportError
from export.summariser.chats import TRAIN, VALIDATION, Chat, read_chats, windows_of
from export.summariser.targets import Rarity, TargetMaker, all_targets, stacked
from export.summariser.teacher import Teacher
from export.summariser.training import Windows

LEAST = 50


@dataclass(frozen=True)
class Dataset:
    """What is trained on, and what its figures in the manifest are measured on."""

    train: Windows
    validation: Windows
    rarity: Rarity


def split(chats: Sequence[Chat], name: str) -> list[Chat]:
    return [chat for chat in chats if chat.split == name]


def rarity_of(chats: Sequence[Chat]) -> Rarity:
    """IDF over the training dialogues."""
    return Rarity.of(chat.text for chat in split(chats, TRAIN))


def read_dataset(
    path: Path, tokenizer: Tokenizer, most: int | None = None, teacher: Teacher | None = None
) -> Dataset:
    """Windows of a file of dialogues. Raises `ExportError` `dataset_invalid`.

    Args:
        most: training dialogues that are used at most.
        teacher: whose summaries are the targets.
    """
    chats = read_chats(path)
    train, validation = split(chats, TRAIN)[:most], split(chats, VALIDATION)[:most]
    if len(train) < LEAST or not validation:
        raise ExportError("dataset_invalid", f"{LEAST} dialogues or more are needed")
    rarity = rarity_of(chats)
    spelling = Spelling.of(tokenizer)
    maker = TargetMaker(spelling, rarity)

    def made(some: Sequence[Chat]) -> Windows:
        windows = [window for chat in some for window in windows_of(tokenizer, chat)]
        if teacher is None:
            return as_windows(*all_targets(maker, windows))
        ids = [window for window, _ in windows]
        return as_windows(*stacked(ids, teacher.keeps(tokenizer, spelling, ids)))

    return Dataset(made(train), made(validation), rarity)


def as_windows(ids: NDArray[np.int32], keep: NDArray[np.bool_]) -> Windows:
    """Padded ids int32 [n, 64] and KEEP as tensors."""
    there = torch.from_numpy(ids >= 0).long()
    return Windows(torch.from_numpy(np.maximum(ids, 0)).long(), there, torch.from_numpy(keep))
