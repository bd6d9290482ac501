# SPDX-License-Identifier: Apache-2.0
"""Where the index is built from: the creatives of the database, on the axes that are live."""

from __future__ import annotations

from typing import NamedTuple

from bls.ads.source import AdSource
from bls.brain.context import axes, files
from bls.models.model_key import ModelKey
from bls.models.served import served_id
from bls.select.index.protocol import F32
from export.llm.safetensors_file import SafetensorsFiles
from export.manifest import MANIFEST_NAME, file_sha256
from pipelines_dagster.defs.promotion.desk import Desk
from pipelines_dagster.defs.promotion.publish import AXES_KEY
from pipelines_dagster.registry.names import Stored
from pipelines_dagster.settings import PipelineSettings


class LiveAxes(NamedTuple):
    """P_K f32 [128, 384], and its number as encoders and indexes say it."""

    p_k: F32
    served: int


def open_source(settings: PipelineSettings) -> AdSource:
    """The database of the serving side. Raises `bad_setting`, `ads_unavailable`."""
    from bls.ads.database import open_database  # noqa: PLC0415  (needs SQLAlchemy)
    from bls.ads.migrate import migrate  # noqa: PLC0415
    from bls.ads.store import AdStore  # noqa: PLC0415

    engine = open_database(settings.serving.database_url, settings.serving.database_password)
    migrate(engine)
    return AdStore(engine)


def live_axes(desk: Desk) -> LiveAxes:
    """What `/mro/axes/p_k` names, or what shipped. Raises `bad_entry`, `bad_artefact`, ..."""
    entry = desk.keys.get(AXES_KEY)
    if entry is None:
        shipped = file_sha256(files.FOLDER / MANIFEST_NAME)
        return LiveAxes(files.load().p_k, served_id(shipped))
    key = ModelKey.of(entry.value)
    folder = desk.artefacts.fetch(Stored("axes", key.version, key.uri, key.sha256))
    return LiveAxes(axes.check(SafetensorsFiles(folder).floats(axes.P_K)), served_id(key.sha256))
