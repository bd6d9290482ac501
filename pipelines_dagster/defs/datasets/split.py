# SPDX-License-Identifier: Apache-2.0
"""Which conversations are never trained on: a share of them by a hash of their id.

The hash is salted, so this split has nothing to do with the share that meets a canary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import polars as pl

_SALT = b"held out"


def held_out(conv_id: str, share: float) -> bool:
    """Whether a conversation belongs to the held-out ones, today and for ever."""
    digest = hashlib.blake2b(conv_id.encode(), digest_size=8, salt=_SALT).digest()
    return int.from_bytes(digest, "little") / 2**64 < share


def with_held(rows: pl.DataFrame, share: float) -> pl.DataFrame:
    """Rows with `conv_id`, and `held` of it."""
    names: Sequence[str] = rows["conv_id"].unique().to_list()
    marks = [held_out(name, share) for name in names]
    known = pl.DataFrame({"conv_id": names, "held": marks}, {"conv_id": pl.String, "held": bool})
    return rows.join(known, on="conv_id", how="left", maintain_order="left")
