# SPDX-License-Identifier: Apache-2.0
"""Which version is live: the one `/x/model` names, else the one the server was shipped with."""

from __future__ import annotations

from pathlib import Path

from bls.models.model_key import AGENT, PREDICTOR, PRICE, TVE
from bls.models.pointer import FolderPointer
from pipelines_dagster.defs.promotion.keys import Keys
from pipelines_dagster.registry.names import Stored
from pipelines_dagster.registry.store import ArtefactStore
from pipelines_dagster.settings import PipelineSettings


def champion(
    subsystem: str, keys: Keys, store: ArtefactStore, settings: PipelineSettings
) -> Stored | None:
    """The live version; None where the server has none either.

    The shipped version is put into the store, so that a rollback to it has a version to name.
    """
    key = keys.model(subsystem)
    if key is not None:
        return Stored(subsystem, key.version, key.uri, key.sha256)
    shipped = _shipped(subsystem, settings)
    target = FolderPointer(shipped)() if shipped is not None else None
    if target is None:
        return None
    return store.put(subsystem, f"{subsystem}_shipped_{target.sha256[:8]}", target.folder)


def _shipped(subsystem: str, settings: PipelineSettings) -> Path | None:
    folders = {
        PREDICTOR: settings.serving.predictor_folder,
        TVE: settings.serving.tve_folder,
        AGENT: settings.serving.agent_folder,
        PRICE: settings.serving.price_folder,
    }
    return folders[subsystem]() if subsystem in folders else None
