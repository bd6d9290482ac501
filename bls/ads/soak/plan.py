# SPDX-License-Identifier: Apache-2.0
"""What a soak does, and the few files its processes leave for the judge."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ADVERTISERS = tuple(f"soak_{number}" for number in range(6))
HOLD_MAX = 1_000


@dataclass(frozen=True)
class Plan:
    """`faults`: share of statements that fail in the middle of their transaction."""

    url: str
    folder: Path
    processes: int
    threads: int
    faults: float
    seed: int
    password: str = field(default="", repr=False)


class Journal:
    """What one thread knows, a line at a time, whole even when it is killed.

    Stands in for the receipts: a charge is written before it is committed, and `told` once the
    ledger has answered.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, kind: str, advertiser: str, key: str, micros: int) -> None:
        line = json.dumps([kind, advertiser, key, micros]) + "\n"
        os.write(self._descriptor, line.encode())


def journals(folder: Path, process: str = "*") -> Iterator[tuple[str, str, str, int]]:
    """Every line of every thread: (kind, advertiser, key, micros)."""
    for path in sorted(folder.glob(f"journal-{process}-*")):
        for line in path.read_text().splitlines():
            kind, advertiser, key, micros = json.loads(line)
            yield kind, advertiser, key, micros
