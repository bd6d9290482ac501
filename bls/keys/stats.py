# SPDX-License-Identifier: Apache-2.0
"""Running totals of live values, shown as `mpc_params_*` series."""

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


COUNTERS = {
    "mpc_params_accepted_total": ("accepted", "Values of /mpc/params that became live"),
    "mpc_params_refused_total": ("refused", "Values of /mpc/params that were refused"),
    "mpc_params_alerts_total": ("alerts", "RefusedError values that look like tampering"),
}
GAUGES = {"mpc_params_version": ("version", "Version of /mpc/params that is live, 0 built in")}
