# SPDX-License-Identifier: Apache-2.0
"""What the commits of a table say of themselves, as long as its log remembers them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deltalake import DeltaTable

_OWN = {
    "timestamp",
    "operation",
    "operationParameters",
    "operationMetrics",
    "engineInfo",
    "clientVersion",
    "version",
    "readVersion",
    "isolationLevel",
    "isBlindAppend",
    "txnId",
    "userId",
    "userName",
    "userMetadata",
}


@dataclass(frozen=True)
class Origin:
    """One commit.

    Attributes:
        version: of the table.
        operation: `WRITE`, `OPTIMIZE`, `DELETE`, ...
        at: when, Unix milliseconds.
        origin: what the writer gave `append` as `origin`.
    """

    version: int
    operation: str
    at: int
    origin: Mapping[str, str]


def origins(table: DeltaTable, last: int | None = None) -> list[Origin]:
    """Of the `last` commits, or of all; oldest first."""
    found = [
        Origin(
            int(commit["version"]),
            str(commit.get("operation", "")),
            int(commit.get("timestamp", 0)),
            {name: str(value) for name, value in commit.items() if name not in _OWN},
        )
        for commit in table.history(last)
    ]
    return sorted(found, key=lambda commit: commit.version)
