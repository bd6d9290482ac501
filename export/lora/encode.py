# SPDX-License-Identifier: Apache-2.0
"""Pairs as token ids, in the prompt form of an advertiser's row: chat, ad prompt, then the message.

Only the message's tokens (and the end of its turn) are scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bls.prompt.template import ChatTemplate, Turn
from export.lora.pairs import Pair

SYSTEM = "You are a helpful assistant."
AD_PROMPT = "Answer with one short message of an advertiser that fits the question."
LONGEST = 160


@dataclass(frozen=True)
class Batch:
    """2n rows, the n chosen ones first. ids, mask (of scored targets) int64 [2n, L]; weight f32 [n]
    of mean 1 over all pairs."""

    ids: Tensor
    scored: Tensor
    weight: Tensor


def encode(pairs: Sequence[Pair], template: ChatTemplate, end: int, mean: float) -> Batch:
    """Right-padded rows; `mean` is the pairs' mean weight, `end` the id that ends a turn."""
    rows = [
        _row(pair.context, text, template, end)
        for part in ("chosen", "rejected")
        for pair, text in ((pair, getattr(pair, part)) for pair in pairs)
    ]
    length = max(len(ids) for ids, _ in rows)
    ids = torch.full((len(rows), length), end, dtype=torch.int64)
    scored = torch.zeros((len(rows), length), dtype=torch.bool)
    for row, (tokens, begin) in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        scored[row, begin : len(tokens)] = True
    weight = torch.tensor([pair.weight / mean for pair in pairs], dtype=torch.float32)
    return Batch(ids, scored, weight)


def _row(context: str, message: str, template: ChatTemplate, end: int) -> tuple[list[int], int]:
    """Ids, and where the message begins."""
    turns = [Turn("system", SYSTEM), Turn("user", context), Turn("system", AD_PROMPT)]
    prompt = template.render(turns, reply_header=True)
    return [*prompt, *template.encode(message), end][:LONGEST], len(prompt)
