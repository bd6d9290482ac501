# SPDX-License-Identifier: Apache-2.0
"""What every served model has: its champion and canary, its totals, and a word about refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.models.keys import ModelKeys
from bls.models.models import Models
from bls.models.places import Places
from bls.models.pointer import Pointer, Target
from bls.models.run_stats import RunStats
from bls.models.slot import Versioned

M = TypeVar("M", bound=Versioned)
S = TypeVar("S", bound=RunStats)


@dataclass(frozen=True)
class Kind(Generic[M, S]):
    """Attributes:
    name: in logs.
    load: a version that has passed every check.
    stats: totals of nothing yet.
    """

    name: str
    load: Callable[[Target], M]
    stats: Callable[[], S]


class Serving(Generic[M, S]):
    """One per process; it answers one thread. A class says its `kind`.

    Args:
        pointer: says which version serves while no key does.
        keys, places: of versions that a key names; without both there is no canary.
    """

    kind: Kind[M, S]

    def __init__(
        self,
        pointer: Pointer,
        log: JsonLog | None = None,
        keys: ModelKeys | None = None,
        places: Places | None = None,
    ) -> None:
        self.stats = self.kind.stats()
        self._log = log
        self.models = Models(
            self.kind.name,
            self.kind.load,
            pointer,
            keys,
            places=places,
            log=log,
            refused=self._refused,
        )

    def _refused(self, error: SkynetError, why: str) -> None:
        """A champion was not taken."""
        self._alert(error, why=why)

    def _alert(self, error: SkynetError, **more: object) -> None:
        name = error.code.upper()
        self.stats.alerts.add(alert=name)
        self._note("alerts", alert=name, model=self.kind.name, **more)

    def _note(self, stream: str, **fields: object) -> None:
        if self._log is not None:
            self._log.write(stream, **fields)
