# SPDX-License-Identifier: Apache-2.0
"""A market dataset as arrays: contexts, ads and delivered trajectories with their label.

The label of k delivered tokens is value / rate = log(1 + clicks): V is per unit of rate (a CPM +
b CPC), which the caller multiplies back. Columns: `pipelines_dagster/defs/market/schema.py`.
Nothing under `truth/` is read here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bls.contracts import AD_TOKENS, CTX
from export.errors import ExportError
from export.tve.tokens import encode

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

SAMPLES = "tve_samples.parquet"
_POOL = 16


@dataclass(frozen=True)
class Samples:
    """Rows point into `ctx` and `ids` by position.

    Attributes:
        ctx: f32 [c, 128]; ad_vec: f32 [a, 128]; ids, mask: i64 [a, 48].
        of_ctx, of_ad, k: i64 [n]; label: f32 [n].
        keys: i64 [n, 3]: world, ctx_id and ad_id of each row.
    """

    ctx: F32
    ad_vec: F32
    ids: I64
    mask: I64
    of_ctx: I64
    of_ad: I64
    k: I64
    label: F32
    keys: I64

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: NDArray[Any]) -> Samples:
        """These rows, in this order; contexts and ads stay."""
        picked = {n: getattr(self, n)[rows] for n in ("of_ctx", "of_ad", "k", "label", "keys")}
        return replace(self, **picked)


def worlds(dataset: Path) -> list[Path]:
    """The dataset itself, or the datasets in its folders. Raises `dataset_missing`."""
    if (dataset / SAMPLES).is_file():
        return [dataset]
    found = sorted(path.parent for path in dataset.glob(f"*/{SAMPLES}"))
    if not found:
        raise ExportError("dataset_missing", f"no {SAMPLES} in the dataset")
    return found


def texts(dataset: Path) -> list[str]:
    """Every creative's text."""
    return [
        t for world in worlds(dataset) for t in load_table(world, "ads.parquet")["text"].to_list()
    ]


def load(dataset: Path, tokenizer: Any) -> Samples:
    """All worlds of a dataset as one. Raises `dataset_missing` or `dataset_invalid`."""
    parts = [_load(world, number, tokenizer) for number, world in enumerate(worlds(dataset))]
    of_ctx = np.cumsum([0, *(len(part.ctx) for part in parts)])
    of_ad = np.cumsum([0, *(len(part.ids) for part in parts)])
    moved = [
        replace(part, of_ctx=part.of_ctx + of_ctx[i], of_ad=part.of_ad + of_ad[i])
        for i, part in enumerate(parts)
    ]
    names = Samples.__dataclass_fields__
    return Samples(**{n: np.concatenate([getattr(part, n) for part in moved]) for n in names})


def _load(world: Path, number: int, tokenizer: Any) -> Samples:
    contexts, ads = load_table(world, "contexts.parquet"), load_table(world, "ads.parquet")
    rows = load_table(world, SAMPLES)
    ids, mask = encode(tokenizer, ads["text"].to_list())
    ctx_id, ad_id = (rows[n].to_numpy().astype(np.int64) for n in ("ctx_id", "ad_id"))
    k = rows["delivered"].to_numpy().astype(np.int64)
    if len(k) == 0 or k.min() < 1 or k.max() > AD_TOKENS:
        raise ExportError("dataset_invalid", f"delivered must be 1 to {AD_TOKENS}")
    return Samples(
        ctx=vectors(contexts, "ctx_vec"),
        ad_vec=vectors(ads, "ad_vec"),
        ids=ids,
        mask=mask,
        of_ctx=_places(contexts["ctx_id"].to_numpy(), ctx_id),
        of_ad=_places(ads["ad_id"].to_numpy(), ad_id),
        k=k,
        label=np.log1p(rows["clicks"].to_numpy().astype(np.float32)),
        keys=np.stack([np.full_like(k, number), ctx_id, ad_id], axis=1),
    )


def load_table(world: Path, name: str) -> pl.DataFrame:
    """One Parquet file of a dataset. Raises `dataset_missing`."""
    try:
        return pl.read_parquet(world / name)
    except FileNotFoundError:
        raise ExportError("dataset_missing", f"no {name} in the dataset") from None


def vectors(table: pl.DataFrame, column: str) -> F32:
    """A column of context or ad vectors, f32 [n, 128]. Raises `dataset_invalid`."""
    found = table[column].to_numpy().astype(np.float32)
    if found.ndim != 2 or found.shape[1] != CTX or not np.isfinite(found).all():
        raise ExportError("dataset_invalid", f"{column}: expected finite [n, {CTX}]")
    return found


def _places(known: NDArray[Any], wanted: I64) -> I64:
    """Where each wanted id stands in `known`. Raises `dataset_invalid` for an unknown one."""
    order = np.argsort(known)
    place = np.searchsorted(known, wanted, sorter=order).clip(max=len(known) - 1)
    found: I64 = order[place].astype(np.int64)
    if (known[found] != wanted).any():
        raise ExportError("dataset_invalid", "a sample names an unknown context or ad")
    return found


def split(samples: Samples, share: float, seed: int) -> tuple[Samples, Samples]:
    """(train, dev): dev has all samples of a share of the ads, which train never sees."""
    ads = np.unique(samples.of_ad)
    held = np.random.default_rng(seed).permutation(ads)[: max(1, round(share * len(ads)))]
    inside = np.isin(samples.of_ad, held)
    return samples.take(np.flatnonzero(~inside)), samples.take(np.flatnonzero(inside))


def batches(
    samples: Samples, batch: int, group: int, rng: np.random.Generator
) -> Iterator[NDArray[Any]]:
    """Rows of every batch of an epoch, in random order.

    A batch is made of random groups of one ad, `batch / group` of them or a few more. Within a
    random pool of `_POOL` batches, groups are sorted by the length of their ad, so that a batch is
    padded little. An incomplete batch is dropped unless it is the only one.
    """
    groups = _groups(samples, group, rng)
    length = samples.mask.sum(1)[[samples.of_ad[rows[0]] for rows in groups]]
    pool = max(1, _POOL * batch // group)
    order = rng.permutation(len(groups))
    sorted_pools = [
        chunk[np.argsort(length[chunk], kind="stable")]
        for chunk in np.split(order, range(pool, len(order), pool))
    ]
    rows = np.concatenate([groups[place] for place in np.concatenate(sorted_pools)])
    starts = range(0, max(len(rows) - batch + 1, 1), batch)
    for start in rng.permutation(starts):
        yield rows[start : start + batch]


def _groups(samples: Samples, group: int, rng: np.random.Generator) -> list[NDArray[Any]]:
    place = rng.permutation(len(samples.ctx))[samples.of_ctx]  # contexts in another order each time
    by_ad = np.lexsort((samples.k, place, samples.of_ad))  # rows of a pair stay together
    edges = np.flatnonzero(np.diff(samples.of_ad[by_ad])) + 1
    return [
        rows[start : start + group]
        for rows in np.split(by_ad, edges)
        for start in range(0, len(rows), group)
    ]
