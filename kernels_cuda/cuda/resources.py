# SPDX-License-Identifier: Apache-2.0
"""What ptxas says each kernel takes, from the logs the build leaves beside its objects."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from kernels_cuda.cuda.device import BUILD

_ENTRY = re.compile(r"Compiling entry function '(\w+)' for '(sm_\d+)'")
_SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_USED = re.compile(r"Used (\d+) registers(?:.*?(\d+) bytes smem)?")
_TYPES = {"F32": "f32", "F16": "f16", "Bf16": "bf16"}


@dataclass(frozen=True)
class Resources:
    """One kernel on one architecture; bytes a thread (stack, spills) or a block (shared)."""

    kernel: str
    arch: str
    registers: int
    shared: int
    stack: int
    spills: int


def kernel_name(symbol: str) -> str:
    """`cluster_kernel f16` from a mangled name."""
    found = re.search(
        r"\d+((?:cluster|portable|naive)_\w*?(?:kernel|jobs))(?:\w*?\d(F32|F16|Bf16))?", symbol
    )
    if not found:
        return symbol
    name, logits = found.groups()
    return f"{name} {_TYPES[logits]}" if logits else name


def parse(log: str) -> list[Resources]:
    """One entry per kernel and architecture of a `ptxas -v` log."""
    found, entry, stack, spills = [], ("", ""), 0, 0
    for line in log.splitlines():
        if match := _ENTRY.search(line):
            entry = match.group(1), match.group(2)
        elif match := _SPILLS.search(line):
            stack, spills = int(match.group(1)), int(match.group(2)) + int(match.group(3))
        elif match := _USED.search(line):
            registers, shared = int(match.group(1)), int(match.group(2) or 0)
            found.append(
                Resources(kernel_name(entry[0]), entry[1], registers, shared, stack, spills)
            )
    return found


def built(folder: Path = BUILD / "cuda") -> list[Resources]:
    """Every kernel of the last build; empty where nothing was built."""
    logs = sorted(folder.glob("*.cu.ptxas"))
    return [entry for log in logs for entry in parse(log.read_text())]
