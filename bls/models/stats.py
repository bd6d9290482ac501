# SPDX-License-Identifier: Apache-2.0
"""Running totals of a model slot; the series' prefix is the subsystem's."""

from __future__ import annotations

from dataclasses import dataclass, field

from bls.totals import Totals

Table = dict[str, tuple[str, str]]


@dataclass
class SlotStats:
    """Written by the slot's thread.

    Attributes:
        model: 1 for the version that serves, 0 for earlier ones, by (version, sha256).
        failures: versions that were refused, by code.
    """

    reloads: int = 0
    reload_ms: float = 0.0
    failures: Totals = field(default_factory=Totals)
    model: Totals = field(default_factory=Totals)


def counters(prefix: str) -> Table:
    return {
        f"{prefix}_reloads_total": ("reloads", "Model versions put to work"),
        f"{prefix}_reload_failures_total": ("failures", "Model versions refused, by reason"),
    }


def gauges(prefix: str) -> Table:
    return {
        f"{prefix}_reload_ms": ("reload_ms", "Load, check and warm-up of the last version, ms"),
        f"{prefix}_model_info": ("model", "1 for the version that serves"),
    }
