# SPDX-License-Identifier: Apache-2.0
"""Running totals of live values, shown under the prefix of what they are: `mpc_params_*`, ..."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

Labels = tuple[tuple[str, str], ...]


@dataclass
class KeyStats:
    """Of one live value.

    Attributes:
        version: what is live, 0 the built-in value.
        refused: by label `reason`.
        alerts: refusals that look like tampering.
    """

    version: int = 0
    accepted: int = 0
    refused: Counter[Labels] = field(default_factory=Counter)
    alerts: int = 0


def counters(prefix: str) -> dict[str, tuple[str, str]]:
    return {
        f"{prefix}_accepted_total": ("accepted", "Values of the key that became live"),
        f"{prefix}_refused_total": ("refused", "Values of the key that were refused, by reason"),
        f"{prefix}_alerts_total": ("alerts", "Refused values that look like tampering"),
    }


def gauges(prefix: str) -> dict[str, tuple[str, str]]:
    return {f"{prefix}_version": ("version", "Version of the key that is live, 0 built in")}


COUNTERS = counters("mpc_params")
GAUGES = gauges("mpc_params")
