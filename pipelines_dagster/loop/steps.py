# SPDX-License-Identifier: Apache-2.0
"""What the circle asks of whatever does the work: Dagster in `dagster_steps`, a double in tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pipelines_dagster.loop.live import Observed
from pipelines_dagster.loop.variants import Flaw


@dataclass(frozen=True)
class Version:
    """A version of the predictor. `sha256`: of its manifest."""

    name: str
    sha256: str

    @property
    def short(self) -> str:
        """As events carry it."""
        return self.sha256[:16]


@dataclass(frozen=True)
class Verdict:
    """What a gate or a canary said, and its reasons in words."""

    passed: bool
    why: str


class Steps(Protocol):
    """One side of the circle each. All raise `SkynetError` when they cannot be done at all."""

    def crown(self, flaw: Flaw) -> Version:
        """Make a flawed copy of what is shipped the champion, as if it had been promoted once."""

    def champion(self) -> Version | None:
        """Whom the model key names now."""

    def ingest(self) -> int:
        """Take what is in Kafka into bronze; rows in bronze now."""

    def feed(self) -> None:
        """The same beside another step, from another thread, and no more than that."""

    def build(self) -> str:
        """Silver and gold of what is in bronze, with simulator rows; what they hold, in words."""

    def train(self) -> Version:
        """A challenger from the datasets, with the quick config."""

    def offer(self, flaw: Flaw) -> Version:
        """Register a flawed version as the challenger."""

    def validate(self, challenger: Version) -> Verdict:
        """The offline gate."""

    def promote(self, challenger: Version, *, forced: bool = False) -> Verdict:
        """Canary, live comparison, and the key if the challenger is better.

        Args:
            forced: go to the canary though the gate refused.
        """

    def observe(self) -> Observed:
        """Live figures of every version, out of the lake."""

    def told(self) -> Sequence[dict[str, Any]]:
        """Everything the notifier was told, oldest first."""
