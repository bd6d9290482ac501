# SPDX-License-Identifier: Apache-2.0
"""Simulated readers of a live reply: the market's law on what was really delivered.

A thousand people read each hosted ad's part; how many click follows from how well the creative
fits the chat, its words, and how many of its tokens came (docs/market.md, 3). Chats and creatives
are embedded by the served encoder, so what a reader likes is what a model could learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bls.brain.context.text import context_text
from bls.request import Message
from pipelines_dagster.defs.market.creatives import read
from pipelines_dagster.defs.market.readers import (
    AGENTS,
    READERS,
    Cosine,
    agent_rate,
    curves,
    dwell_ms,
    rate_of,
)
from pipelines_dagster.traffic.asks import Messages


class Encoder(Protocol):
    """`bls.brain.context.encoder.ContextEncoder`, or a test's."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class Reaction:
    """Of `impressions` readers of one advertiser's part of one reply."""

    impressions: int
    clicks: int
    dwell_ms: int


class Readers:
    """One for a whole run. Called from one thread.

    Args:
        chats, creatives: what the scale of relevance is taken from, as in `market.world`: a chat's
            best creative is, on the median, halfway relevant.
    """

    def __init__(
        self, encoder: Encoder, chats: Sequence[Messages], creatives: Sequence[str]
    ) -> None:
        self._encoder = encoder
        cosine = np.sort(
            encoder.encode([_text(chat) for chat in chats]) @ encoder.encode(creatives).T, axis=1
        )
        middle = float(np.median(cosine[:, -1]))
        self._scale = Cosine(middle, max(1e-3, (middle - float(np.median(cosine))) / 4))

    def react(
        self, messages: Messages, creative: str, delivered: int, rng: np.random.Generator
    ) -> Reaction:
        """What the readers do with `delivered` tokens of the creative after this chat."""
        chat, ad = self._encoder.encode([_text(messages), creative])
        cosine = np.array([float(chat @ ad)])
        words = read(creative)
        curve = curves(cosine, [words], self._scale)
        k = np.array([min(delivered, words.tokens)])
        human = float(rate_of(curve.value(k))[0])
        clicks = min(int(rng.poisson(human)), round(READERS * (1 - AGENTS)))
        clicks += int(rng.poisson(agent_rate()))
        return Reaction(READERS, clicks, int(dwell_ms(curve, k, rng)[0]))


def _text(messages: Messages) -> str:
    return context_text([Message.model_validate(message) for message in messages])
