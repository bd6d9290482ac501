# SPDX-License-Identifier: Apache-2.0
"""Assets under the keys of the areas, as small as can be: what is scheduled over them is real."""

from __future__ import annotations

from collections.abc import Callable, Collection

import dagster as dg

KEYS = {
    "bronze/auction_bids": (),
    "silver/bids": ("bronze/auction_bids",),
    "gold/predictor_dataset": ("silver/bids",),
    "models/predictor": ("gold/predictor_dataset",),
    "live/predictor": ("models/predictor",),
    "live/axes": ("models/predictor",),
    "models/tuner": ("gold/predictor_dataset",),
    "live/params": ("models/tuner",),
    "models/lora": ("bronze/auction_bids",),
    "ops/lineage": (),
    "ops/retention": (),
    "ops/invoices": ("bronze/auction_bids",),
}

Work = Callable[[str], None]


def assets(
    work: Work = lambda key: None, only: Collection[str] = KEYS
) -> list[dg.AssetsDefinition]:
    """Of `KEYS`; `work` is called with an asset's key when it is made."""

    def make(key: str, parents: tuple[str, ...]) -> dg.AssetsDefinition:
        @dg.asset(key=key.split("/"), deps=[dg.AssetKey(parent.split("/")) for parent in parents])
        def made() -> None:
            work(key)

        return made

    return [
        make(key, tuple(parent for parent in parents if parent in only))
        for key, parents in KEYS.items()
        if key in only
    ]


def gate(passes: Callable[[], bool]) -> dg.AssetChecksDefinition:
    """The blocking check of `models/predictor`."""

    @dg.asset_check(asset=dg.AssetKey(["models", "predictor"]), name="gate", blocking=True)
    def check() -> dg.AssetCheckResult:
        good = passes()
        return dg.AssetCheckResult(passed=good, description="RMSE fell" if good else "RMSE rose")

    return check
