# SPDX-License-Identifier: Apache-2.0
"""`silver/contexts`: what each reply was about, as the 128 numbers its ads were valued in.

`cluster` puts contexts that point roughly the same way together: the signs of `PLANES` fixed random
projections (random hyperplanes, Charikar 2002). It needs no fit, so it never moves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bls.contracts import CTX
from pipelines_dagster.defs.datasets import schema
from pipelines_dagster.defs.datasets.bronze import PREFIX, day_of
from pipelines_dagster.defs.datasets.recipe import REPLY_S, Frames, Recipe, Source

F32 = NDArray[np.float32]

FEEDBACK = f"{PREFIX}tve_feedback"
PLANES = 8
_NORMALS = np.random.default_rng(20_250_423).standard_normal((CTX, PLANES)).astype(np.float32)
_BITS = (1 << np.arange(PLANES)).astype(np.int16)


def build(frames: Frames, day: str) -> pl.DataFrame:
    """The context of every reply whose first ad ended on that day."""
    first = (
        frames[FEEDBACK]
        .filter(pl.col("ctx_vec").list.len() == CTX)
        .select("conv_id", "request_id", "ts", "row", "ctx_vec")
        .sort("ts", "row")
        .unique(["conv_id", "request_id"], keep="first", maintain_order=True)
        .with_columns(dt=day_of(pl.col("ts")))
        .collect()
    )
    return keyed(first.filter(pl.col("dt") == day))


def keyed(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with a `ctx_vec`, and the key and the cluster of it."""
    found = vectors(rows["ctx_vec"])
    return rows.with_columns(
        pl.Series("ctx_key", ctx_keys(found), pl.String),
        pl.Series("cluster", clusters(found), pl.Int16),
    )


def vectors(column: pl.Series) -> F32:
    """f32 [n, 128] of a column of lists of 128 numbers."""
    flat: F32 = column.explode(empty_as_null=False).to_numpy().astype(np.float32)
    return flat.reshape(len(column), CTX)


def ctx_keys(ctx: F32) -> list[str]:
    """16 hex digits of each vector's hash: the bits of the vector, whoever asked."""
    raw = np.ascontiguousarray(ctx, "<f4").tobytes()
    size = 4 * CTX
    return digests(raw[at : at + size] for at in range(0, len(raw), size))


def digests(parts: Iterable[bytes]) -> list[str]:
    return [hashlib.blake2b(part, digest_size=8).hexdigest() for part in parts]


def clusters(ctx: F32) -> NDArray[np.int16]:
    """[n] numbers from 0 to 2 ** PLANES - 1; vectors at angle a share one with (1 - a/pi)^8."""
    above = (ctx @ _NORMALS > 0).astype(np.int16)
    numbers: NDArray[np.int16] = (above @ _BITS).astype(np.int16)
    return numbers


RECIPE = Recipe(
    "silver/contexts",
    (Source(FEEDBACK, ahead_s=REPLY_S),),
    schema.CONTEXTS,
    ("conv_id", "request_id"),
    build,
    "What each reply was about.",
)
