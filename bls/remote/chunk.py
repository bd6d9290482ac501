# SPDX-License-Identifier: Apache-2.0
"""From a bidder's bytes to a row of logits, or the reason why not.

Nothing of a malformed chunk is used: the row is written only when everything was checked.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from bls.remote.remote_bidder_pb2 import Full, LogitChunk, TopK
from bls.remote.vocabulary import Vocabulary

Row = NDArray[np.float32]
_TYPES: dict[Full.Type, np.dtype[Any]] = {Full.F16: np.dtype("<f2"), Full.F32: np.dtype("<f4")}


class Fault(StrEnum):
    """Why a chunk was refused; a label of `auc_remote_malformed_total`."""

    ENCODING = "encoding"  # no LogitChunk, or one without logits
    ORDER = "order"  # an index that was answered, passed, or not announced yet
    VOCABULARY = "vocabulary"  # another hash than Open's
    SIZE = "size"  # not V logits, more than top_k ids, ids and logits of two lengths
    ID = "id"  # outside the vocabulary
    DUPLICATE = "duplicate"  # one id twice
    NOT_FINITE = "not_finite"  # NaN or +inf
    TOO_LARGE = "too_large"  # more bytes than any good chunk has


class MalformedError(Exception):
    """A chunk nobody may use."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


def most_bytes(vocabulary: Vocabulary, top_k: int) -> int:
    """Size of the largest good chunk, with some room for field tags."""
    return 256 + (9 * top_k if top_k else 4 * vocabulary.size)


def parse(raw: bytes) -> LogitChunk:
    """The message in `raw`. Raises `MalformedError`."""
    chunk = LogitChunk()
    try:
        chunk.ParseFromString(raw)
    except DecodeError:
        raise MalformedError(Fault.ENCODING) from None
    return chunk


def write_row(chunk: LogitChunk, vocabulary: Vocabulary, top_k: int, row: Row) -> None:
    """Fill `row` f32 [V] from `chunk`. Raises `MalformedError`, `row` is untouched then."""
    if chunk.vocabulary != vocabulary.sha256:
        raise MalformedError(Fault.VOCABULARY)
    kind = chunk.WhichOneof("logits")
    if kind is None:
        raise MalformedError(Fault.ENCODING)
    if (kind == "full") != (top_k == 0):
        raise MalformedError(Fault.SIZE)
    if kind == "full":
        _write_full(chunk.full, row)
    else:
        _write_top(chunk.top_k, top_k, row)


def _write_full(full: Full, row: Row) -> None:
    dtype = _TYPES.get(full.type)
    if dtype is None:
        raise MalformedError(Fault.ENCODING)
    if len(full.values) != row.size * dtype.itemsize:
        raise MalformedError(Fault.SIZE)
    values = np.frombuffer(full.values, dtype).astype(np.float32, copy=False)
    _check_finite(values)
    row[:] = values


def _write_top(top: TopK, most: int, row: Row) -> None:
    if not 1 <= len(top.id) <= most or len(top.id) != len(top.logit):
        raise MalformedError(Fault.SIZE)
    ids = np.fromiter(top.id, np.int64, len(top.id))
    if ids.max() >= row.size:
        raise MalformedError(Fault.ID)
    if len(np.unique(ids)) != len(ids):
        raise MalformedError(Fault.DUPLICATE)
    values = np.fromiter(top.logit, np.float32, len(top.logit))
    floor = np.float32(top.floor if top.HasField("floor") else -math.inf)
    _check_finite(values)
    _check_finite(np.atleast_1d(floor))
    row.fill(floor)
    row[ids] = values


def _check_finite(values: Row) -> None:
    """-inf says "impossible" and is fine; one comparison finds NaN and +inf."""
    if not (values < np.inf).all():
        raise MalformedError(Fault.NOT_FINITE)
