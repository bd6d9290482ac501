# SPDX-License-Identifier: Apache-2.0
"""One measured figure beside its goal, and the table of all of them."""

from __future__ import annotations

import json
import os
import platform
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Figure:
    """`value` in `unit`; `goal` as a sentence; `met` None where there is no goal."""

    name: str
    value: float
    unit: str
    goal: str = ""
    met: bool | None = None
    detail: str = ""

    def row(self) -> str:
        verdict = {True: "met", False: "MISSED", None: ""}[self.met]
        return (
            f"{self.name:<44} {self.value:>10.4g} {self.unit:<10} {self.goal:<22} {verdict:<7} "
            f"{self.detail}"
        )


def machine() -> dict[str, Any]:
    """What it was measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = {x.split(":")[1].strip() for x in lines if x.startswith("model name")}
    flags = next((x.split() for x in lines if x.startswith("flags")), [])
    simd = [f for f in ("avx2", "avx512f", "avx512_vnni") if f in flags]
    return {"cpu": sorted(names), "cores": os.cpu_count(), "simd": simd, "os": platform.platform()}


def publish(figures: list[Figure], file: Path) -> None:
    """Print the table and write the JSON."""
    print()
    for figure in figures:
        print(figure.row())
    file.parent.mkdir(parents=True, exist_ok=True)
    report = {"machine": machine(), "figures": [asdict(figure) for figure in figures]}
    file.write_text(json.dumps(report, indent=1) + "\n")
    print(f"\nwritten to {file}")


def median(values: list[float]) -> float:
    return statistics.median(values)
