# SPDX-License-Identifier: Apache-2.0
"""Reads `mpc.decisions` back, oldest first, and says which lines are no records."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from bls.brain.curve import A_MAX, K_0_MIN
from bls.brain.decisions.record import KINDS, OPTIONAL, STREAM, VERSION
from bls.contracts import AD_TOKENS
from bls.errors import SkynetError
from bls.settlement import segments

Json = dict[str, Any]


def files(path: Path) -> list[Path]:
    """The stream's files in `path`, or `path` itself. Raises `no_records` without any."""
    if path.is_file():
        return [path]
    found = segments.files(path, STREAM)
    if not found:
        raise SkynetError("no_records", f"There is no {STREAM} in the log folder.", 404)
    return found


def read(path: Path) -> Iterator[tuple[str, int, Json | None]]:
    """(file:line, bytes, the record or None for a line that is none)."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            yield f"{path.name}:{number}", len(line), parse(line)


def parse(line: bytes) -> Json | None:
    """The record of a line; not-a-numbers are NaN again."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(record, dict):
        return None
    record = {**OPTIONAL, **record}
    if record.keys() != KINDS.keys():
        return None
    for name, kind in KINDS.items():
        value = record[name]
        if type(value) is not kind:
            if kind is not float or not (value is None or type(value) is int):
                return None
            record[name] = math.nan if value is None else float(value)
    return record if record["v"] == VERSION and _sane(record) else None


def _sane(record: Json) -> bool:
    """Whether a row can be built from it, of a curve that is served; the kernel checks the rest."""
    served = 0 <= record["v_max"] < math.inf and 0 < record["a"] <= A_MAX
    inside = record["won"] >= 0 and 0 <= record["left"] <= AD_TOKENS - record["won"]
    return bool(
        served
        and 0 <= record["discount"] <= 1
        and 0 <= record["loss_discount"] <= 1
        and K_0_MIN <= record["k_0"] < math.inf
        and inside
        and 1 <= record["count"] <= AD_TOKENS
    )
