# SPDX-License-Identifier: Apache-2.0
"""Where the prelude asks: models of the server, behind plain calls.

Every call blocks and raises `SkynetError` when there is no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bls.condense.condensed import Condensed
from bls.contracts import Use
from bls.guard.ruling import Ruling
from bls.select.answer import SelectAnswer, SelectRequest


@dataclass(frozen=True)
class Context:
    """What a conversation is about: f32 [128] of unit norm, and whose axes they are."""

    vec: NDArray[np.float32]
    axes: int


class Stages(Protocol):
    """Called from several threads."""

    def guard(self, texts: Sequence[str], use: Use) -> list[Ruling]:
        """A ruling a text, at most `LIMITS.guard_texts` of them."""

    def condense(self, head: Sequence[int], salt: int) -> Condensed: ...

    def encode(self, text: str, axes: int = 0) -> Context:
        """`axes` 0 takes the newest; others may have gone (`axes_unknown`)."""

    def select(self, request: SelectRequest, context: Context) -> SelectAnswer:
        """Raises `axes_mismatch`; its `param` names the axes that would do. With `request.shown` it
        is told what got a row, and answers with nothing."""
