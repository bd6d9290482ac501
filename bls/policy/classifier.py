# SPDX-License-Identifier: Apache-2.0
"""What a toxicity model must offer to take part in the filter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Classifier(Protocol):
    """A model of unsafe text. Called from many threads at once."""

    @property
    def threshold(self) -> float:
        """Probability at and above which a text is refused."""

    def unsafe(self, texts: Sequence[str]) -> list[float]:
        """Probability in [0, 1] that each text is unsafe. May raise; the rules then stand alone."""
