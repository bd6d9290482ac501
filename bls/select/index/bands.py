# SPDX-License-Identifier: Apache-2.0
"""Rows by what they are worth, so that a search by score can look among the dear ones first."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bls.select.index.protocol import F32, Mask

_CUTS = (0.99, 0.9, 0.5)
"""Quantiles of the rows' values between bands."""


class Band(NamedTuple):
    """Rows whose values lie in one range: bool [rows], and the highest value in it."""

    keep: Mask
    high: float


class Bands:
    """The bands of the values asked for last: made once, while the same array is given."""

    def __init__(self) -> None:
        self._last: tuple[F32, list[Band]] | None = None

    def of(self, values: F32) -> list[Band]:
        """Bands of `values` f32 [n], the dearest first; rows without a finite value are in none."""
        last = self._last
        if last is not None and last[0] is values:
            return last[1]
        made = _bands(values)
        self._last = values, made
        return made


def _bands(values: F32) -> list[Band]:
    known = values[np.isfinite(values)]
    if not len(known):
        return []
    found, high = [], float(known.max())
    for low in [*np.quantile(known, _CUTS, method="lower"), -np.inf]:
        keep = (values >= low) & (values <= high)
        if keep.any():
            found.append(Band(keep, float(values[keep].max())))
        high = float(np.nextafter(np.float32(low), np.float32(-np.inf)))
    return found
