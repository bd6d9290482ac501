# SPDX-License-Identifier: Apache-2.0
"""A dataset of bids with simulated conversations added, in a folder of its own."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from pipelines_dagster.defs.market.dataset import CARD, load_card, read_table, write_tables
from pipelines_dagster.defs.market.schema import BIDS, CONTEXTS
from pipelines_dagster.defs.market.simulate import Size, simulate


def with_simulated(dataset: Path, out: Path, conversations: int, seed: int) -> Path:
    """`contexts` and `bids` of `dataset` and of a market drawn with `seed`; the new folder.

    Conversations and contexts are renamed apart. The card is the dataset's own, so that its lake
    versions go with it, with the market's size and seed added.

    Raises:
        SkynetError: what `read_table` raises.
    """
    drawn = out.with_name(f"{out.name}.drawn")
    size = Size(conversations=conversations, contexts=max(64, conversations // 2), ads=64, pairs=1)
    simulate(drawn, seed, size)
    contexts, bids = read_table(dataset, "contexts"), read_table(dataset, "bids")
    first = int(contexts["ctx_id"].max()) + 1  # type: ignore[arg-type]
    more = read_table(drawn, "contexts").with_columns(pl.col("ctx_id") + first)
    series = read_table(drawn, "bids").with_columns(
        pl.col("ctx_id") + first, ("simulated:" + pl.col("conv_id")).alias("conv_id")
    )
    files = write_tables(
        out,
        {
            "contexts": pl.concat([contexts, more.cast(pl.Schema(CONTEXTS))]),
            "bids": pl.concat([bids, series.cast(pl.Schema(BIDS))]),
        },
    )
    own = {"conversations": conversations, "seed": seed}
    card = load_card(dataset) | {"simulated": own, "files": files}
    (out / CARD).write_text(json.dumps(card, indent=2) + "\n")
    return out
