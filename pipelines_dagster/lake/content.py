# SPDX-License-Identifier: Apache-2.0
"""SHA-256 of what rows say, whatever file, compression or library they went through.

Per column: name, type, validity, then for fixed-width values their bytes, for strings, bytes and
lists their lengths and then what they hold. The same rows in the same order always give the same
hash; `in_order` puts events in the one order that all copies share.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import polars as pl


def in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Sorted by event id, columns by name."""
    return rows.select(sorted(rows.columns)).sort("event_id")


def content_sha256(rows: pl.DataFrame) -> str:
    """Of rows in the order given, 64 hex digits."""
    digest = hashlib.sha256()
    for column in rows.iter_columns():
        digest.update(f"{column.name}\0{column.dtype}\0{len(column)}\0".encode())
        _add(digest, column)
    return digest.hexdigest()


def _add(digest: Any, column: pl.Series) -> None:
    valid = column.is_not_null()
    digest.update(b"\1" if valid.all() else np.packbits(valid.to_numpy()).tobytes())
    column = column.drop_nulls()
    kind = column.dtype
    if isinstance(kind, pl.List):
        lengths = column.list.len()
        digest.update(_bytes(lengths.cast(pl.Int64)))
        _add(digest, column.filter(lengths > 0).explode())
    elif isinstance(kind, pl.Struct):
        for name, _ in kind:
            _add(digest, column.struct.field(name))
    elif kind in (pl.String, pl.Binary):
        raw = column.cast(pl.Binary)
        digest.update(_bytes(raw.bin.size().cast(pl.Int64)))
        digest.update(_joined(raw))
    else:
        digest.update(_bytes(column.cast(pl.UInt8) if kind == pl.Boolean else column))


def _bytes(column: pl.Series) -> bytes:
    return (
        np.ascontiguousarray(column.rechunk().to_numpy())
        .astype(column.to_numpy().dtype.newbyteorder("<"), copy=False)
        .tobytes()
    )


def _joined(column: pl.Series) -> bytes:
    return b"".join(column.to_list())
