# SPDX-License-Identifier: Apache-2.0
"""Readers of live replies: the law of the market, on what was delivered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines_dagster.defs.market.readers import READERS
from pipelines_dagster.traffic.readers import Readers

CHATS = [[{"role": "user", "content": f"question {n}"}] for n in range(6)]
CREATIVES = ["Alpine Rail trains. Book now.", "Kite Meals. First month free.", "Stride shoes."]


class Hashed:
    """Unit vectors that follow from the text; the first chat and creative are alike."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = [
            np.random.default_rng(sum(text.encode())).normal(size=128).astype(np.float32)
            for text in ("same" if text in ("question 0", CREATIVES[0]) else text for text in texts)
        ]
        return np.stack([row / np.linalg.norm(row) for row in rows])


@pytest.fixture(scope="module")
def readers() -> Readers:
    return Readers(Hashed(), CHATS, CREATIVES)


def clicks(readers: Readers, creative: str, delivered: int) -> float:
    rng = np.random.default_rng(1)
    found = [readers.react(CHATS[0], creative, delivered, rng) for _ in range(40)]
    assert {reaction.impressions for reaction in found} == {READERS}
    assert all(reaction.dwell_ms > 0 for reaction in found)
    return float(np.mean([reaction.clicks for reaction in found]))


def test_more_is_delivered_more_is_clicked(readers: Readers) -> None:
    assert clicks(readers, CREATIVES[0], 7) > clicks(readers, CREATIVES[0], 1)


def test_nothing_delivered_only_programs_click(readers: Readers) -> None:
    assert clicks(readers, CREATIVES[0], 0) < 1


def test_what_fits_is_clicked_more(readers: Readers) -> None:
    assert clicks(readers, CREATIVES[0], 7) > 1.2 * clicks(readers, CREATIVES[2], 7)
