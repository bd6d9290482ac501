# SPDX-License-Identifier: Apache-2.0
"""The index of a night: built from the database on the live axes, gated, named, and taken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pytest

from bls.brain.context import axes, files
from bls.errors import SkynetError
from bls.keys.folder import FolderStore
from bls.models.model_key import ModelKey
from bls.models.places import Places
from bls.models.served import served_id
from bls.select.index import version as on_disk
from bls.select.index.erased import erased_creatives
from bls.select.index.keeper import IndexKeeper
from bls.select.index.key import KEY, named_index
from bls.settings import Settings
from export.context_encoder.write import write
from export.manifest import MANIFEST_NAME, file_sha256
from pipelines_dagster.defs.index import source
from pipelines_dagster.defs.index.definitions import DEFS
from pipelines_dagster.defs.index.gate import check
from pipelines_dagster.defs.index.rebuild import SUBSYSTEM, forget, rebuild
from pipelines_dagster.defs.index.source import live_axes
from pipelines_dagster.defs.operations.plan import INDEX
from pipelines_dagster.defs.operations.sla import judge
from pipelines_dagster.defs.promotion.desk import Desk, open_desk
from pipelines_dagster.defs.promotion.publish import AXES_KEY, publish
from pipelines_dagster.registry.names import Stored
from pipelines_dagster.resources import Pipelines
from pipelines_dagster.settings import PipelineSettings
from tests.pipelines.operations.test_regeneration import Running
from tests.select.index.ads import WIDTH, Ads, Lines, axes_of, clustered

COUNT = 300
FIRST = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def embeddings() -> axes.F32:
    return clustered(COUNT, width=WIDTH)


@pytest.fixture
def ads(embeddings: axes.F32) -> Ads:
    made = Ads()
    made.fill(embeddings)
    return made


@pytest.fixture
def settings(tmp_path: Path) -> PipelineSettings:
    return PipelineSettings(Settings(state=tmp_path / "state"), webhook="log", training="quick")


@pytest.fixture
def desk(settings: PipelineSettings) -> Desk:
    return open_desk(settings)


@pytest.fixture
def job(
    settings: PipelineSettings, ads: Ads, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.JobDefinition]:
    """The job of the index on the settings of the test."""
    monkeypatch.setenv("SKYNET_STATE", str(settings.serving.state))
    monkeypatch.setenv("SKYNET_PIPELINES_WEBHOOK", "log")
    monkeypatch.setattr(source, "open_source", lambda settings: ads)
    made = dg.define_asset_job(INDEX.job, selection=dg.AssetSelection.groups("index"))
    resources = dg.Definitions(resources={"pipelines": Pipelines()}, jobs=[made])
    yield dg.Definitions.merge(DEFS, resources).resolve_job_def(INDEX.job)


def named(settings: PipelineSettings) -> ModelKey:
    entry = FolderStore(settings.serving.keys_folder).get(KEY)
    assert entry is not None
    return ModelKey.of(entry.value)


@pytest.mark.spec("MRO-S-02")
@pytest.mark.spec("MRO-U-09")
def test_two_nights_before_six(
    job: dg.JobDefinition, settings: PipelineSettings, desk: Desk, ads: Ads
) -> None:
    seen = list[ModelKey]()
    with dg.DagsterInstance.ephemeral() as instance:
        for number in (0, 1):
            four = FIRST + timedelta(days=number, hours=4)
            with Running(four + timedelta(seconds=1)).rules():
                done = job.execute_in_process(instance=instance)
            assert {event.asset_key.path[1] for event in _made(done)} == {"version", "live"}
            seen.append(named(settings))
            ads.put(f"of_the_day_{number}", clustered(1, 77 + number, WIDTH)[0])
            told = list[str]()
            tell = lambda event, **facts: told.append(event)  # noqa: E731, B023
            six = FIRST + timedelta(days=number, hours=6)
            assert judge(instance, desk.lake, tell, six, since=FIRST, timetable=[INDEX]) == []
            assert not told
    assert seen[0].sha256 != seen[1].sha256
    lines = (desk.streams.folder / "vector_db.recall.json").read_text().splitlines()
    assert [json.loads(line)["recall"] for line in lines] == [1.0, 1.0]
    assert [json.loads(line)["index_sha"] for line in lines] == [one.sha256 for one in seen]


def _made(done: dg.ExecuteInProcessResult) -> list[dg.AssetMaterialization]:
    return [one.step_materialization_data.materialization for one in _events(done)]


def _events(done: dg.ExecuteInProcessResult) -> list[dg.DagsterEvent]:
    return list(done.get_asset_materialization_events())


def test_a_server_takes_what_the_night_made(
    settings: PipelineSettings, desk: Desk, ads: Ads, embeddings: axes.F32
) -> None:
    erased_creatives(settings.serving).delete("m5")
    trained = rebuild(settings, desk, ads)
    assert not check(trained, desk).reason
    publish(desk, trained.stored)
    serving, log = settings.serving, Lines()
    of_index = named_index(FolderStore(serving.keys_folder), serving, log)
    places = Places(serving.models_folder, serving.models_fetched)
    live = live_axes(desk)
    keeper = IndexKeeper(ads, named=of_index, places=places, embed=None, log=log, erased=None)
    try:
        assert keeper.start(live.p_k, live.served)
        index = keeper.generation(live.served)
    finally:
        keeper.stop()
    assert index is not None and index.version == trained.stored.version
    hits = index.search(axes.project(live.p_k, embeddings[17]), 1)
    record = index.record(int(hits.rows[0]))
    assert record is not None and record.msg_id == "m17"
    assert index.added == 1  # m5 was erased when the version was built


@pytest.mark.spec("MRO-S-03")
def test_an_erased_creative_is_not_in_the_next_version(
    settings: PipelineSettings, desk: Desk, ads: Ads
) -> None:
    ads.delete("m7")
    erased_creatives(settings.serving).delete("m5")
    stored = rebuild(settings, desk, ads).stored
    names = (desk.artefacts.fetch(stored) / on_disk.CREATIVES).read_text()
    assert '"m5"' not in names and '"m7"' not in names and '"m6"' in names


def test_the_index_is_built_on_the_live_axes(
    settings: PipelineSettings, desk: Desk, ads: Ads, tmp_path: Path
) -> None:
    shipped = served_id(file_sha256(files.FOLDER / MANIFEST_NAME))
    assert live_axes(desk).served == shipped
    folder = tmp_path / "axes"
    folder.mkdir()
    (folder / files.TOKENIZER).write_bytes((files.FOLDER / files.TOKENIZER).read_bytes())
    p_k = axes_of(5)
    write(folder, p_k, version="1", dataset_sha256="0" * 64, seed=0, metrics={})
    stored = desk.artefacts.put("axes", "axes_2026_11_01_01", folder)
    desk.keys.put(AXES_KEY, stored.key().value())
    live = live_axes(desk)
    assert live.served == served_id(stored.sha256) and np.array_equal(live.p_k, p_k)
    trained = rebuild(settings, desk, ads)
    assert trained.details["axes"] == stored.served


@pytest.mark.spec("MRO-U-08")
def test_a_version_that_finds_too_little_is_not_published(
    settings: PipelineSettings, desk: Desk, ads: Ads, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = rebuild(settings, desk, ads)
    monkeypatch.setattr("pipelines_dagster.defs.index.gate.RECALL", 1.01)
    assert check(trained, desk).reason.startswith("recall@10")
    with pytest.raises(SkynetError) as caught:
        publish(desk, trained.stored)
    assert caught.value.code == "gate_failed"
    assert FolderStore(settings.serving.keys_folder).get(KEY) is None


@pytest.mark.spec("MRO-U-09")
def test_a_version_that_has_changed_does_not_pass(
    settings: PipelineSettings, desk: Desk, ads: Ads
) -> None:
    trained = rebuild(settings, desk, ads)
    file = desk.artefacts.fetch(trained.stored) / on_disk.VECTORS
    file.write_bytes(bytes(file.stat().st_size))
    assert check(trained, desk).reason == "bad_artefact"


def test_no_creatives_is_no_fault(
    job: dg.JobDefinition, settings: PipelineSettings, desk: Desk, ads: Ads
) -> None:
    for row in range(COUNT):
        ads.delete(f"m{row}")
    with dg.DagsterInstance.ephemeral() as instance:
        assert job.execute_in_process(instance=instance).success
    assert desk.ledger.candidate(SUBSYSTEM) is None


def test_old_versions_are_removed(settings: PipelineSettings, desk: Desk, ads: Ads) -> None:
    assert forget(settings) == []
    made: list[Stored] = [rebuild(settings, desk, ads).stored for _ in range(4)]
    assert forget(settings) == [made[0].version]
    assert desk.artefacts.versions(SUBSYSTEM) == [one.version for one in made[1:]]
