# SPDX-License-Identifier: Apache-2.0
"""A chunk becomes a row of logits, or it is refused for one reason and touches nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from bls.remote.chunk import Fault, MalformedError, most_bytes, parse, write_row
from bls.remote.remote_bidder_pb2 import Full, LogitChunk, TopK
from bls.remote.vocabulary import Vocabulary

V = 8
OURS = Vocabulary(V, bytes(range(32)))
K = 3


def row() -> np.ndarray:
    return np.full(V, 7.0, np.float32)


def top(**fields: Any) -> LogitChunk:
    return LogitChunk(vocabulary=OURS.sha256, top_k=TopK(**fields))


def full(values: Any, kind: Full.Type = Full.F32, dtype: str = "<f4") -> LogitChunk:
    raw = np.asarray(values, dtype).tobytes()
    return LogitChunk(vocabulary=OURS.sha256, full=Full(type=kind, values=raw))


def test_top_k_with_a_floor() -> None:
    found = row()
    write_row(top(id=[5, 2], logit=[1.5, -math.inf], floor=-4.0), OURS, K, found)
    assert found.tolist() == [-4, -4, -math.inf, -4, -4, 1.5, -4, -4]


def test_top_k_without_a_floor_rules_the_others_out() -> None:
    found = row()
    write_row(top(id=[0], logit=[2.0]), OURS, K, found)
    assert found.tolist() == [2.0, *[-math.inf] * (V - 1)]


@pytest.mark.parametrize(("kind", "dtype"), [(Full.F16, "<f2"), (Full.F32, "<f4")])
def test_full_logits(kind: Full.Type, dtype: str) -> None:
    found = row()
    values = [0.5, -math.inf, 2, 3, -4, 5, 6, 7]
    write_row(full(values, kind, dtype), OURS, 0, found)
    assert found.tolist() == values


NAN, INF = math.nan, math.inf
GOOD = [0.0] * V
MALFORMED = {
    "no logits": (LogitChunk(vocabulary=OURS.sha256), K, Fault.ENCODING),
    "no hash": (LogitChunk(top_k=TopK(id=[1], logit=[1])), K, Fault.VOCABULARY),
    "another hash": (
        LogitChunk(vocabulary=bytes(32), top_k=TopK(id=[1], logit=[1])),
        K,
        Fault.VOCABULARY,
    ),
    "no ids": (top(), K, Fault.SIZE),
    "more ids than asked for": (top(id=[1, 2, 3, 4], logit=GOOD[:4]), K, Fault.SIZE),
    "fewer logits than ids": (top(id=[1, 2], logit=[1]), K, Fault.SIZE),
    "an id past the vocabulary": (top(id=[1, V], logit=[1, 1]), K, Fault.ID),
    "the largest id there is": (top(id=[2**32 - 1], logit=[1]), K, Fault.ID),
    "an id twice": (top(id=[1, 2, 1], logit=[1, 1, 1]), K, Fault.DUPLICATE),
    "a NaN": (top(id=[1], logit=[NAN]), K, Fault.NOT_FINITE),
    "an infinity": (top(id=[1], logit=[INF]), K, Fault.NOT_FINITE),
    "a NaN as floor": (top(id=[1], logit=[1], floor=NAN), K, Fault.NOT_FINITE),
    "an infinity as floor": (top(id=[1], logit=[1], floor=INF), K, Fault.NOT_FINITE),
    "full logits unasked": (full(GOOD), K, Fault.SIZE),
    "top k where full was asked": (top(id=[1], logit=[1]), 0, Fault.SIZE),
    "one logit short": (full(GOOD[1:]), 0, Fault.SIZE),
    "one logit more": (full([*GOOD, 0]), 0, Fault.SIZE),
    "half the bytes": (full(GOOD, Full.F32, "<f2"), 0, Fault.SIZE),
    "no type": (full(GOOD, Full.TYPE_UNSPECIFIED), 0, Fault.ENCODING),
    "a NaN in full logits": (full([*GOOD[1:], NAN]), 0, Fault.NOT_FINITE),
    "an f16 overflow": (full([*GOOD[1:], INF], Full.F16, "<f2"), 0, Fault.NOT_FINITE),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_chunks_are_refused_whole(name: str) -> None:
    chunk, top_k, fault = MALFORMED[name]
    found = row()
    with pytest.raises(MalformedError) as caught:
        write_row(parse(chunk.SerializeToString()), OURS, top_k, found)
    assert caught.value.fault is fault
    assert found.tolist() == row().tolist()


@pytest.mark.parametrize("raw", [b"\xff", b"\x08", b"\x12\x7fshort", b"hello"])
def test_bytes_that_are_no_chunk(raw: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        parse(raw)
    assert caught.value.fault is Fault.ENCODING


def test_the_size_limit_lets_every_good_chunk_pass() -> None:
    size = 49_152
    vocabulary = Vocabulary(size, bytes(32))
    widest = LogitChunk(index=2**32 - 1, vocabulary=bytes(32))
    widest.full.CopyFrom(Full(type=Full.F32, values=bytes(4 * size)))
    assert widest.ByteSize() <= most_bytes(vocabulary, 0)
    for k in (1, 64, 1_024):
        best = TopK(id=[2**32 - 1] * k, logit=[1.0] * k, floor=1.0)
        longest = LogitChunk(index=2**32 - 1, vocabulary=bytes(32), top_k=best)
        assert longest.ByteSize() <= most_bytes(vocabulary, k) < longest.ByteSize() + 256
