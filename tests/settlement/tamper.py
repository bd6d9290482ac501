# SPDX-License-Identifier: Apache-2.0
"""Changes logs the way a fault or a forger would."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from bls.settlement.chain import GENESIS, link, seal, split

Json = dict[str, Any]
Edit = Callable[[list[Json]], None]


def read(file: Path) -> list[Json]:
    """The records of a file without their chain."""
    parts = (split(line) for line in file.read_bytes().splitlines())
    return [orjson.loads(part[0]) for part in parts if part is not None]


def edit(file: Path, change: Edit) -> None:
    """Edit the lines and leave the chain as it is: a clumsy forger."""
    lines = file.read_bytes().splitlines()
    parts = [split(line) for line in lines]
    records = [orjson.loads(part[0]) for part in parts if part is not None]
    chains = [part[1] for part in parts if part is not None]
    change(records)
    chains += chains[-1:] * len(records)  # of lines put in
    bodies = [orjson.dumps(record) for record in records]
    file.write_bytes(b"".join(map(seal, bodies, chains)))


def forge(file: Path, change: Edit) -> None:
    """Edit the lines and make the chain anew: a careful forger."""
    records = read(file)
    change(records)
    chain, lines = GENESIS, []
    for record in records:
        body = orjson.dumps(record)
        chain = link(chain, body)
        lines.append(seal(body, chain))
    file.write_bytes(b"".join(lines))


def floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4").copy()


def text(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()
