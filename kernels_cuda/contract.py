# SPDX-License-Identifier: Apache-2.0
"""Python's side of include/auction_contract.h: limits, enums, errors, a draw and an outcome."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

MAX_ROWS = 33
MAX_VOCAB = 1 << 18
TOP = 16


class Path(IntEnum):
    """Which code runs; AUTO takes the widest the processor has."""

    AUTO = 0
    SCALAR = 1
    AVX2 = 2
    AVX512 = 3


class Mode(IntEnum):
    """How the token is chosen from the blend."""

    ARGMAX = 0
    SAMPLE = 1


class RowStatus(IntEnum):
    """Why a row took no part in the token."""

    OK = 0
    NOT_FINITE = 1
    EMPTY = 2
    BAD_WEIGHT = 3


class AuctionError(ValueError):
    """The whole reply was refused."""


class ShapeError(AuctionError):
    """Rows or vocabulary out of range, or arrays that do not fit together."""


class LogitTypeError(AuctionError):
    """Logits are neither float32, float16 nor bfloat16 bits (uint16)."""


class TemperatureError(AuctionError):
    """Temperature not finite, or not above 0."""


class ReferenceRowError(AuctionError):
    """Row 0 is unusable, so nothing can be blended."""


class WeightError(AuctionError):
    """The valid weights sum to 0."""


class PathError(AuctionError):
    """Unknown path, or one this processor lacks."""


class DrawError(AuctionError):
    """A draw's numbers do not fit 64 bits, or the mode is unknown."""


ERRORS: dict[int, type[AuctionError]] = {
    1: ShapeError,
    2: ShapeError,
    3: LogitTypeError,
    4: TemperatureError,
    5: ReferenceRowError,
    6: WeightError,
    7: PathError,
    10: DrawError,
}


@dataclass(frozen=True)
class Draw:
    """All that a draw depends on besides rows and weights: unsigned 64-bit numbers."""

    seed: int  # of the reply
    conv: int  # of the conversation
    index: int  # of the token in the reply

    def __post_init__(self) -> None:
        for name, value in (("seed", self.seed), ("conv", self.conv), ("index", self.index)):
            if not 0 <= value < 1 << 64:
                raise DrawError(f"{name}: expected 0 to 2^64 - 1, got {value}")


@dataclass(frozen=True)
class Outcome:
    """One reply's outcome; arrays have one entry per row, row 0 the reference."""

    token: int
    ref_token: int
    margin: float
    near_tie: bool
    blend_token: float  # N(token)
    precise: bool  # normalisers were summed in float64
    p_token: NDArray[np.float64]
    pay: NDArray[np.float64]
    critical_bid: NDArray[np.float64]
    log_z: NDArray[np.float64]  # ln sum_x exp(z(x) / T), 0 for a dropped row
    w_minus: NDArray[np.float32]
    row_status: NDArray[np.int32]
    drawn_row: int  # -1 in argmax mode
    top_id: NDArray[np.int32] | None  # [rows, TOP], best first, -1 where there is none
    top_logit: NDArray[np.float32] | None  # [rows, rows * TOP], at top_id flattened
