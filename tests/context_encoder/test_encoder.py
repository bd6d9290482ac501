# SPDX-License-Identifier: Apache-2.0
"""Axis vectors of the shipped encoder: shape, unit norm, the same bits whoever else is asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bls.brain.context.encoder import ContextEncoder
from bls.contracts import CTX
from bls.errors import SkynetError
from bls.limits import LIMITS

TEXTS = [
    "hello world",
    "A weekend in Lisbon for two, by train if that works.",
    "Which running shoes are good for flat feet? " * 6,
    "名古屋のホテル 😀",
    "[MASK] [SEP]",
]


@pytest.mark.spec("MRO-U-01")
def test_every_vector_has_128_numbers_and_unit_norm(encoder: ContextEncoder) -> None:
    assert encoder.vector("hello world").shape == (CTX,)
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (len(TEXTS), CTX) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert encoder.encode([]).shape == (0, CTX)


@pytest.mark.spec("MRO-U-02")
@settings(max_examples=15, deadline=None)
@given(text=st.text(st.characters(categories=("L", "N", "P", "Zs")), min_size=1, max_size=80))
def test_a_text_is_like_itself(encoder: ContextEncoder, text: str) -> None:
    try:
        z = encoder.vector(text).astype(np.float64)
    except SkynetError as error:
        assert error.code == "empty_text"
        return
    assert abs(z @ z / (np.linalg.norm(z) * np.linalg.norm(z)) - 1) <= 1e-6
    assert abs(z @ z - 1) <= 1e-6


def test_neighbours_and_order_change_no_bit(encoder: ContextEncoder) -> None:
    fresh = ContextEncoder(cache=0)
    alone = np.concatenate([fresh.encode([text]) for text in TEXTS])
    together = fresh.encode(TEXTS)
    assert (alone == together).all()
    assert (fresh.encode(TEXTS[::-1])[::-1] == alone).all()
    assert (encoder.encode(TEXTS) == alone).all()


def test_like_subjects_are_near(encoder: ContextEncoder) -> None:
    question, hotel, shoes = encoder.encode(
        [
            "I need a place to stay near the beach",
            "Harbor Hotels: sea view rooms from 90 dollars a night",
            "Stride: light trail running shoes with a wide toe box",
        ]
    )
    assert question @ hotel > question @ shoes + 0.2


def test_the_cache_gives_the_same_object_and_forgets_the_oldest() -> None:
    encoder = ContextEncoder(cache=2)
    first = encoder.embedding("one")
    assert encoder.embedding("one") is first and not first.flags.writeable
    encoder.vector("two")
    encoder.vector("one")
    encoder.vector("three")  # "two" goes: "one" was used after it
    assert encoder.embedding("one") is first
    assert (encoder.hits, encoder.misses) == (3, 3)
    encoder.vector("two")
    assert encoder.misses == 4


def test_of_a_long_text_the_end_counts(encoder: ContextEncoder) -> None:
    end = " ".join(["hotel in lisbon"] * LIMITS.context_pieces)
    assert (encoder.vector("cats and dogs. " * 50 + end) == encoder.vector(end)).all()
    assert (encoder.vector(end) != encoder.vector("hotel in lisbon")).any()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty_text"),
        (" \n\t", "empty_text"),
        ("\x00\x01", "empty_text"),
        ("\ud800", "bad_text"),
    ],
)
def test_nothing_to_embed_is_refused(encoder: ContextEncoder, text: str, code: str) -> None:
    with pytest.raises(SkynetError) as raised:
        encoder.encode(["fine", text])
    assert (raised.value.code, raised.value.status) == (code, 400)
