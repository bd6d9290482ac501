# SPDX-License-Identifier: Apache-2.0
"""What a record keeps of the logits, and the random numbers an audit makes again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bls.settlement.bounds import Bounds
from bls.settlement.events import Events, batches
from bls.settlement.evidence import pack, unpack
from bls.settlement.faults import Faults
from bls.settlement.philox import philox, uniforms
from bls.settlement.reader import Reader
from bls.settlement.record import Head, TokenRecord
from bls.settlement.winner import drawn_rows
from kernels_cuda.auction import Auction, Draw
from tests.settlement.workshop import NAMES, Workshop, write

Make = Callable[..., Workshop]
HEAD = Head("c", "r", NAMES[:3], "argmax", 0, 0, 0.7, "clarke", 1_000)


def columns(folder: Path) -> Events:
    faults = Faults()
    (events,) = batches(Reader(folder, faults).joined(), faults)
    assert not faults.counts
    return events


def test_packed_evidence_names_each_token_once(workshop: Make) -> None:
    tokens = [r for r in workshop().reply(40) if isinstance(r, TokenRecord)]
    outcomes = [token.outcome for token in tokens]
    packed = pack([o.top_id for o in outcomes], [o.top_logit for o in outcomes])
    for outcome, proof in zip(outcomes, packed, strict=True):
        ids, logits = unpack(proof, 4)
        assert ids.tolist() == sorted(set(outcome.top_id.ravel().tolist()))
        for place, token in enumerate(outcome.top_id.ravel().tolist()):
            at = int(np.flatnonzero(ids == token)[0])
            assert np.array_equal(logits[at], outcome.top_logit[:, place])


def test_the_best_tokens_of_a_row_can_be_told_from_the_union(
    tmp_path: Path, workshop: Make, auction: Auction
) -> None:
    """Probabilities on the union are the softmax; the tail bounds every other token."""
    shop = workshop(vocab=400)
    logits = [shop.rng.normal(size=(4, 400)).astype(np.float32) * 3 for _ in range(20)]
    weights = np.array([1, 0.5, 0.4, 0.3], np.float32)
    records = [
        TokenRecord(HEAD, 0.0, i, weights, shop.outcome(HEAD, i, z, weights))
        for i, z in enumerate(logits)
    ]
    write(tmp_path, [*records])
    events = columns(tmp_path)
    bounds = Bounds.of(events)
    for n, z in enumerate(logits):
        p = np.exp(z.astype(np.float64) / np.float64(np.float32(0.7)))
        p /= p.sum(axis=1, keepdims=True)
        real = events.ids[n] >= 0
        ids = events.ids[n][real]
        np.testing.assert_allclose(bounds.p[n][real].T, p[:, ids], rtol=1e-6)
        assert (np.delete(p, ids, axis=1).max(axis=1) <= bounds.tail[n]).all()
    assert bounds.sound.all() and bounds.inside.all()


def test_broken_rows_and_numbers_survive_the_trip(tmp_path: Path, workshop: Make) -> None:
    """NaN weights, dropped rows, impossible tokens, 64-bit conversations."""
    shop = workshop(vocab=300)
    logits = shop.rng.normal(size=(4, 300)).astype(np.float32)
    logits[1, 5] = np.nan
    logits[2, 3:] = -np.inf
    weights = np.array([1, 1, 1, np.nan], np.float32)
    head = Head("c", "r", NAMES[:3], "argmax", 2**63 - 1, 2**64 - 1, 0.7, "clarke", 1_000)
    write(tmp_path, [TokenRecord(head, 0.0, 0, weights, shop.outcome(head, 0, logits, weights))])
    events = columns(tmp_path)
    assert events.live.tolist() == [[True, False, True, False]]
    assert events.weights.tolist() == [[1, 0, 1, 0]]
    assert events.draw.tolist() == [[2**63 - 1, 2**64 - 1, 0]]
    bounds = Bounds.of(events)
    assert (bounds.p[0, :, [1, 3]] == 0).all()
    assert bounds.tail[0, 2] == 0 and (bounds.p[0, :, 2] > 0).sum() == 3


@pytest.mark.parametrize(
    ("key", "counter", "words"),
    [
        ((0, 0), (0, 0, 0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((2**32 - 1,) * 2, (2**32 - 1,) * 4, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0xA4093822, 0x299F31D0),
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_known_answers(
    key: tuple[int, ...], counter: tuple[int, ...], words: tuple[int, ...]
) -> None:
    """The vectors published with Random123."""
    k0, k1 = (np.array([x], np.uint64) for x in key)
    c0, c1, c2, c3 = (np.array([x], np.uint64) for x in counter)
    assert tuple(int(x[0]) for x in philox((k0, k1), (c0, c1, c2, c3))) == words


def test_draws_choose_the_kernels_row(workshop: Make, auction: Auction) -> None:
    shop = workshop()
    logits = shop.rng.normal(size=(4, 50)).astype(np.float32)
    weights = np.array([1, 0, 2, 0.5], np.float32)
    keys = shop.rng.integers(0, 2**63, size=(200, 3), dtype=np.uint64)
    u_row, u_token = uniforms(keys)
    rows = drawn_rows(np.tile(weights.astype(np.float64), (200, 1)), u_row)
    for (seed, conv, index), row in zip(keys.tolist(), rows, strict=True):
        got = auction.run(logits, weights, 0.7, draw=Draw(seed, conv, index))
        assert got.drawn_row == row
    assert set(rows.tolist()) == {0, 2, 3} and ((u_token >= 0) & (u_token < 1)).all()
