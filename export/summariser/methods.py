# SPDX-License-Identifier: Apache-2.0
"""Ways to say a window in 32 tokens, all with one shape: windows to summaries."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from bls.brain.context import files
from bls.brain.context.minilm import F32, MiniLM
from bls.condense.spelling import Spelling
from bls.condense.summariser import Summariser
from bls.contracts import SUMMARY_TOKENS
from bls.errors import SkynetError
from export.summariser.targets import Rarity, TargetMaker

Windows = Sequence[Sequence[int]]
Method = Callable[[Windows], list[list[int]]]

_SENTENCE = re.compile(r"(?<=[.?!])\s+|\n")


def lead(windows: Windows) -> list[list[int]]:
    """The first 32 tokens."""
    return [list(window[:SUMMARY_TOKENS]) for window in windows]


def rule(spelling: Spelling, rarity: Rarity) -> Method:
    """What the targets are made by, without looking ahead: IDF, names, numbers, no network."""
    maker = TargetMaker(spelling, rarity, ahead=False)

    def method(windows: Windows) -> list[list[int]]:
        pairs = ((window, maker.keep(window)) for window in windows)
        return [[t for t, kept in zip(w, keep, strict=True) if kept] for w, keep in pairs]

    return method


class Centroid:
    """The sentences nearest to the mean of their MiniLM embeddings, in their order; the last one
    that is taken is cut to fit."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        tokens = (files.FOLDER / files.TOKENIZER).read_bytes()
        self._minilm = MiniLM(files.load_backbone(files.BACKBONE), tokens)
        self._tokenizer = tokenizer

    def __call__(self, windows: Windows) -> list[list[int]]:
        return [self._one(window) for window in windows]

    def _one(self, window: Sequence[int]) -> list[int]:
        text = str(self._tokenizer.decode(list(window)))
        found = [
            (one, vec)
            for part in _SENTENCE.split(text)
            if (one := part.strip())
            if (vec := self._embed(one)) is not None
        ]
        if not found:
            return list(window[:SUMMARY_TOKENS])
        centre = np.mean([vec for _, vec in found], axis=0)
        rank = sorted(range(len(found)), key=lambda at: -float(found[at][1] @ centre))
        room, kept = SUMMARY_TOKENS, {}
        for at in rank:
            ids = self._tokenizer.encode(" " + found[at][0], add_special_tokens=False).ids[:room]
            kept[at] = ids
            room -= len(ids)
        return [token for at in sorted(kept) for token in kept[at]]

    def _embed(self, text: str) -> F32 | None:
        try:
            return self._minilm.embed(text)
        except SkynetError:  # nothing but marks
            return None


def network(folder: Path, threads: int = 1) -> Summariser:
    """A version of the summariser, as it is served."""
    return Summariser(folder, threads)
