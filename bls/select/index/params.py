# SPDX-License-Identifier: Apache-2.0
"""How a million-row index is cut up, scaled down for fewer rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bls.errors import SkynetError

FLAT_MOST = 16_384
"""With `auto`, more rows than this are searched through IVF-PQ: an exact scan costs a core about
45 ns a row."""

NLIST, NPROBE, M, BITS = 4096, 24, 128, 4
"""A nibble a dimension, scanned 32 rows at a time in registers (faiss "fast scan"): 64 bytes a row.
The seed's 16 codes of 8 bits (nprobe 16) find 0.67 of the ten nearest of 10 M rows after 256 were
re-ranked, in 1.3 ms; these 0.957 after 100, in 0.9 ms (docs/index.md)."""
LARGE = 16_384
"""Cells from which the nearest ones are looked up in a graph (HNSW) instead of one by one."""

_POINTS = 39
"""Fewest training vectors a cell may have (faiss warns below)."""
_CODES = 1 << BITS


@dataclass(frozen=True)
class IvfPqParams:
    """Source: max_reward_optimizer 2.2.3; corrections, max-reward optimiser 3.

    Attributes:
        nlist: cells of the coarse quantiser.
        nprobe: cells that a search looks into.
        m: sub-vectors of 4 bits a row is coded as.
        depth: rows that are scored again with their stored vectors.
    """

    nlist: int = NLIST
    nprobe: int = NPROBE
    m: int = M
    depth: int = 100

    def __post_init__(self) -> None:
        if not 1 <= self.nprobe <= self.nlist or self.depth < 1 or self.m < 1:
            raise SkynetError("bad_setting", "1 <= nprobe <= nlist; m and depth are 1 or more.")

    @classmethod
    def of(cls, rows: int) -> IvfPqParams:
        """For so many rows: about four cells for each root of them, at most 4096, and at least a
        twenty-fourth of the cells of a small index probed."""
        most = min(NLIST, 4 * math.isqrt(max(rows, 1)), max(rows // _POINTS, 1))
        nlist = 1 << (most.bit_length() - 1)
        return cls(nlist, min(NPROBE, nlist))


def codable(rows: int) -> bool:
    """Whether there are enough rows to learn the codes of."""
    return rows >= _POINTS * _CODES
