# SPDX-License-Identifier: Apache-2.0
"""What a promotion works with: keys, ledger, store, registry, and who is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bls.errors import SkynetError
from pipelines_dagster.defs.promotion.keys import Keys, open_keys
from pipelines_dagster.defs.promotion.ledger import PromotionLedger
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.notify import series
from pipelines_dagster.notify.notifier import Notifier, open_notifier, streams_of
from pipelines_dagster.notify.streams import Streams
from pipelines_dagster.registry.names import Stored
from pipelines_dagster.registry.store import ArtefactStore, open_artefacts
from pipelines_dagster.settings import PipelineSettings

PROMOTION, CANARY, VALIDATOR = "promotion.log", "canary.promote.log", "validator.promote.log"
ERROR = "promotion.error"


class Aliases(Protocol):
    """What a promotion asks of the registry."""

    def champion(self, stored: Stored) -> None:
        """The alias `champion` goes to this version; `challenger` leaves it."""

    def challenger(self, stored: Stored) -> None:
        """The alias `challenger` goes to this version."""

    def unmark(self, stored: Stored) -> None:
        """The alias `challenger` leaves this version, if it has it."""


@dataclass(frozen=True)
class Desk:
    """One for a process.

    Attributes:
        locks, metrics: folders.
        aliases: None where no registry is kept.
    """

    keys: Keys
    lake: Lake
    ledger: PromotionLedger
    artefacts: ArtefactStore
    notifier: Notifier
    streams: Streams
    locks: Path
    metrics: Path
    aliases: Aliases | None = None

    def mark(self, name: str, stored: Stored) -> None:
        """Move an alias. A registry that is down never holds up live traffic: it is told of."""
        if self.aliases is None:
            return
        try:
            getattr(self.aliases, name)(stored)
        except Exception as error:  # whatever its client raises
            why = error.code if isinstance(error, SkynetError) else type(error).__name__
            self.streams.write(ERROR, step=name, version=stored.version, why=why)
            self.notifier.tell(
                "registry_behind",
                f"The registry did not take the alias ({name}) of {stored.version}.",
                version=stored.version,
                why=why,
            )


def open_desk(settings: PipelineSettings, aliases: Aliases | None = None) -> Desk:
    """Raises what `open_notifier` and `open_keys` raise."""
    streams = streams_of(settings)
    lake = settings.open_lake()
    return Desk(
        keys=open_keys(settings),
        lake=lake,
        ledger=PromotionLedger(lake),
        artefacts=open_artefacts(settings),
        notifier=open_notifier(settings, streams),
        streams=streams,
        locks=settings.serving.state / "promotion",
        metrics=series.folder(settings),
        aliases=aliases,
    )
