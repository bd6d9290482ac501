# SPDX-License-Identifier: Apache-2.0
"""The silver tables in an order in which each one's sources come first."""

from __future__ import annotations

from pipelines_dagster.defs.datasets import (
    ads,
    bids,
    contexts,
    pairs,
    rewards,
    samples,
    sessions,
    windows,
)
from pipelines_dagster.defs.datasets.engine import HERE, Engine
from pipelines_dagster.defs.datasets.recipe import Recipe
from pipelines_dagster.defs.datasets.refresh import Refreshed, refresh
from pipelines_dagster.lake.lake import Lake


def recipes(encode: ads.Encode = ads.served_encoder) -> dict[str, Recipe]:
    """Every recipe by its table. `encode` makes the vectors of creatives."""
    every = (
        bids.RECIPE,
        windows.RECIPE,
        contexts.RECIPE,
        ads.recipe(encode),
        samples.RECIPE,
        pairs.RECIPE,
        rewards.RECIPE,
        sessions.RECIPE,
    )
    return {recipe.table: recipe for recipe in every}


def refresh_all(
    lake: Lake, engine: Engine = HERE, encode: ads.Encode = ads.served_encoder
) -> dict[str, Refreshed]:
    """Bring every silver table up to the bronze ones. Raises as `refresh`."""
    return {table: refresh(lake, recipe, engine) for table, recipe in recipes(encode).items()}
