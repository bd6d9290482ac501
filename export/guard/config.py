# SPDX-License-Identifier: Apache-2.0
"""How the classifier is made; every number once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class GuardConfig:
    """
    Attributes:
        width, heads, layers, feed: of the transformer; `feed` times the width inside a layer.
        tokens: longest input, the classifier's window.
        vocabulary: byte-pair pieces, learned on the training part.
        epochs, rate, batch: AdamW with one cycle of the learning rate.
        attacked: share of training texts that are rewritten by a random attack.
        pieces_dropped: share of merges left out, so that odd spellings are cut in many ways. The
            tokenizers library draws them without a seed: only with 0 are two trainings alike bit
            for bit.
        chats: training turns drawn anew for every epoch.
        weights: of a text in the loss, by source.
        measured_chats: turns of the calibration and of the held-out part that are scored.
        max_steps: for a smoke run; 0 has no limit.
    """

    width: int = 128
    heads: int = 4
    layers: int = 4
    feed: int = 2
    tokens: int = 64
    vocabulary: int = 8_192
    dropout: float = 0.1
    epochs: int = 5
    rate: float = 1.5e-3
    batch: int = 96
    attacked: float = 0.35
    pieces_dropped: float = 0.08
    chats: int = 9_000
    weights: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType(
            {"hate": 2.0, "neither": 3.0, "prompts": 5.0, "ad_prompts": 2.0}
        )
    )
    measured_chats: int = 5_000
    threads: int = 1
    max_steps: int = 0
