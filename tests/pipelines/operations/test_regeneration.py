# SPDX-License-Identifier: Apache-2.0
"""Two nights with the real simulator and the real trainers on tiny data: new artefacts, new SHAs.

Dagster's clock begins at midnight and goes as fast as the machine's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from export.bid_predictor.config import TrainConfig
from export.bid_predictor.training import train as train_predictor
from export.manifest import MANIFEST_NAME, file_sha256
from export.tve.config import Dims, Stage, TveConfig
from export.tve.train import train as train_tve
from pipelines_dagster.defs.market.simulate import Size, simulate
from pipelines_dagster.defs.operations.jobs import SELECTIONS
from pipelines_dagster.defs.operations.plan import NIGHTLY
from pipelines_dagster.defs.operations.sla import judge
from pipelines_dagster.lake.lake import Lake
from tests.pipelines.operations.clock import Clock

FIRST = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PREDICTOR = TrainConfig(width=8, heads=2, hidden=16, tokens=2, batch=64, pretrain_steps=4, steps=8)
TVE = TveConfig(
    teacher=Dims(ctx=16, ctx_layers=1, ad=32, ad_layers=1, fused=16),
    similarity=Stage(3e-3, 1),
    supervised=Stage(1e-2, 1),
    distil=Stage(1e-2, 1),
    batch=128,
    word_drop=0.0,
)
MODELS = (dg.AssetKey(["models", "predictor"]), dg.AssetKey(["models", "tve"]))


class Regeneration:
    """Data sets and models of one night, in a folder of that night."""

    def __init__(self, root: Path) -> None:
        self.root, self.night = root, 0

    @property
    def data(self) -> Path:
        return self.root / f"data_{self.night}"

    def definitions(self) -> dg.Definitions:
        @dg.asset(key=["gold", "dataset"])
        def gold() -> None:
            size = Size(conversations=36, contexts=40, ads=64, pairs=300)
            simulate(self.data, self.night, size, "regimes")

        @dg.asset(key=MODELS[0], deps=[gold])
        def predictor() -> dg.MaterializeResult:  # type: ignore[type-arg]
            made = train_predictor(self.data, PREDICTOR, 0, self.root / f"pred_{self.night}")
            return _logged(made.folder)

        @dg.asset(key=MODELS[1], deps=[gold])
        def tve() -> dg.MaterializeResult:  # type: ignore[type-arg]
            made = train_tve(self.data, TVE, 0, self.root / f"tve_{self.night}")
            return _logged(made.artefact)

        nightly = dg.define_asset_job(
            NIGHTLY.job, selection=SELECTIONS[NIGHTLY.job], executor_def=dg.in_process_executor
        )
        return dg.Definitions([gold, predictor, tve], jobs=[nightly])


def _logged(folder: Path) -> dg.MaterializeResult:  # type: ignore[type-arg]
    return dg.MaterializeResult(metadata={"sha256": file_sha256(folder / MANIFEST_NAME)})


def shas(instance: dg.DagsterInstance) -> dict[dg.AssetKey, str]:
    """The SHA-256 that the latest materialisation of each model logged."""
    found = {}
    for key in MODELS:
        event = instance.get_latest_materialization_event(key)
        assert event is not None
        made = event.asset_materialization
        assert made is not None
        metadata: Mapping[str, dg.MetadataValue[object]] = made.metadata
        found[key] = str(metadata["sha256"].value)
    return found


class Running(Clock):
    """As many seconds past its start as have passed here."""

    def __init__(self, start: datetime) -> None:
        self._start, self._began = start, time.monotonic()

    @property
    def now(self) -> datetime:  # type: ignore[override]
        return self._start + timedelta(seconds=time.monotonic() - self._began)


@pytest.mark.spec("TVE-S-02")
def test_new_models_before_six(tmp_path: Path) -> None:
    work, lake = Regeneration(tmp_path), Lake(str(tmp_path / "lake"))
    job = work.definitions().resolve_job_def(NIGHTLY.job)
    found, told = [], list[str]()
    with dg.DagsterInstance.ephemeral() as instance:
        for work.night in (0, 1):
            midnight = FIRST + work.night * DAY
            with Running(midnight + timedelta(seconds=1)).rules():
                assert job.execute_in_process(instance=instance).success
            six = midnight + timedelta(hours=6)
            tell = lambda event, **facts: told.append(event)  # noqa: E731
            assert judge(instance, lake, tell, six, since=FIRST, timetable=[NIGHTLY]) == []
            found.append(shas(instance))
    assert not told
    for key in MODELS:
        assert len({night[key] for night in found}) == 2
