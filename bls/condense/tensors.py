# SPDX-License-Identifier: Apache-2.0
"""Rows of ids as the tensors of `summariser` and `condense` have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bls.condense.condensed import Condensed
from bls.contracts import PAD
from bls.errors import SkynetError, invalid

I32 = NDArray[np.int32]


def pad(rows: Sequence[Sequence[int]], width: int) -> I32:
    """int32 [n, width], right-padded with PAD. Raises `bad_summary` for a row that is longer."""
    out = np.full((len(rows), width), PAD, np.int32)
    for at, row in enumerate(rows):
        if len(row) > width:
            raise SkynetError("bad_summary", "A summary is longer than its tensor.", 500)
        out[at, : len(row)] = row
    return out


def unpad(ids: NDArray[Any]) -> list[list[int]]:
    """The rows without their padding. Raises `bad_window` for one that goes on after it."""
    rows = []
    for row in ids.tolist():
        end = row.index(PAD) if PAD in row else len(row)
        if any(token != PAD for token in row[end:]):
            raise invalid("bad_window", "A window is padded at its end only.")
        rows.append(row[:end])
    return rows


def flat(condensed: Condensed) -> tuple[I32, I32, I32]:
    """`SUMMARY`, `LENGTHS` and `WINDOWS` of contract `CONDENSE`."""
    tokens = [token for summary in condensed.summaries for token in summary]
    lengths = [len(summary) for summary in condensed.summaries]
    parts = (tokens, lengths, [condensed.windows])
    summary, each, windows = (np.array(part, np.int32) for part in parts)
    return summary, each, windows


def whole(summary: NDArray[Any], lengths: NDArray[Any], windows: NDArray[Any]) -> Condensed:
    """The `Condensed` of those three tensors."""
    ends = np.cumsum(lengths)
    starts = ends - lengths
    pairs = zip(starts.tolist(), ends.tolist(), strict=True)
    return Condensed(tuple(tuple(summary[a:b].tolist()) for a, b in pairs), int(windows[0]))
