# SPDX-License-Identifier: Apache-2.0
"""How old each asset may be: Dagster warns before, and says FAIL after."""

from __future__ import annotations

import warnings
from datetime import timedelta

import dagster as dg

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)

WINDOWS: dict[tuple[str, ...], tuple[timedelta, timedelta]] = {
    ("bronze",): (timedelta(minutes=5), timedelta(minutes=15)),
    ("silver",): (1.5 * _HOUR, 3 * _HOUR),
    ("gold",): (_DAY + 2 * _HOUR, _DAY + 6 * _HOUR),
    ("models",): (_DAY + 2 * _HOUR, _DAY + 6 * _HOUR),
    ("models", "tuner"): (7 * _DAY + _HOUR, 7 * _DAY + 6 * _HOUR),
    ("models", "lora"): (7 * _DAY + _HOUR, 7 * _DAY + 6 * _HOUR),
    ("index",): (_DAY + _HOUR, _DAY + 6 * _HOUR),
    ("ops",): (_DAY + _HOUR, _DAY + 6 * _HOUR),
}
"""(warn, fail) by key prefix, the longest counts. `live` has none: a good champion may stay."""


def policy(key: dg.AssetKey) -> dg.FreshnessPolicy | None:
    """The policy of an asset; None for one that may be of any age."""
    for length in range(len(key.path), 0, -1):
        window = WINDOWS.get(tuple(key.path[:length]))
        if window is not None:
            warn, fail = window
            return dg.FreshnessPolicy.time_window(fail_window=fail, warn_window=warn)
    return None


def with_freshness(definitions: dg.Definitions) -> dg.Definitions:
    """The same definitions, every asset that has none of its own with its policy."""

    def spec(given: dg.AssetSpec) -> dg.AssetSpec:
        wanted = policy(given.key)
        if wanted is None or given.freshness_policy is not None:
            return given
        return given.replace_attributes(freshness_policy=wanted)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return definitions.map_asset_specs(func=spec)
