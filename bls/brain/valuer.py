# SPDX-License-Identifier: Apache-2.0
"""Where a reply asks what its ads are worth in its context: a curve per ad."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bls.bidding import Seat
from bls.brain.trajectory import Curve


@dataclass(frozen=True)
class Values:
    """`ctx_vec` is f32 [128]; `curves` by row, of the rows that could be valued."""

    ctx_vec: NDArray[np.float32]
    curves: dict[int, Curve]


class Valuer(Protocol):
    """Blocks for a small model. Raises `SkynetError` when it cannot; ads it cannot value are left
    out. `key` is `bls.reply.draw.conversation`: it decides whether a canary answers."""

    def values(self, ctx_vec: NDArray[np.float32], seats: Sequence[Seat], key: int) -> Values: ...
