# SPDX-License-Identifier: Apache-2.0
"""Copies of training sets go with the set's rows; the lake's own folder is never taken for one."""

from __future__ import annotations

from pathlib import Path

from bls.settings import Settings
from pipelines_dagster.defs.gdpr.copies import SETTLED_S, drop_copies
from pipelines_dagster.defs.gdpr.erase import erase
from pipelines_dagster.defs.retention.run import collect
from pipelines_dagster.settings import PipelineSettings


def put(root: Path, *versions: str, name: str = "bids.parquet") -> None:
    for version in versions:
        folder = root / "tve_dataset" / version
        folder.mkdir(parents=True)
        (folder / name).write_bytes(b"x")


def test_copies_live_as_long_as_their_set(tmp_path: Path) -> None:
    settings = PipelineSettings(Settings(state=tmp_path))
    lake = Path(settings.lake_root) / "gold"
    put(lake, "live")
    put(lake, "gone", name="dataset.json")
    for root in ("gold", "gold.cache"):
        put(tmp_path / root, "live", "gone", ".fetch.1")
    collect(settings, [])
    assert drop_copies(settings, SETTLED_S) == 0, "a young one may be on its way"
    assert drop_copies(settings) == 4
    for root in ("gold", "gold.cache"):
        assert [path.name for path in (tmp_path / root / "tve_dataset").iterdir()] == ["live"]
    assert (lake / "tve_dataset" / "gone" / "dataset.json").is_file()


def test_a_lake_in_the_state_folder_is_no_copy(tmp_path: Path) -> None:
    settings = PipelineSettings(Settings(state=tmp_path), lake=str(tmp_path))
    put(tmp_path / "gold", "gone", name="dataset.json")
    assert drop_copies(settings) == 0


def test_an_erasure_takes_the_copies_and_what_trainings_left(tmp_path: Path) -> None:
    settings = PipelineSettings(Settings(state=tmp_path))
    put(tmp_path / "gold.cache", "gone")
    (tmp_path / "training" / "tve.1").mkdir(parents=True)
    assert erase(settings, conv_id="c1").done
    assert not (tmp_path / "training").exists()
    assert list((tmp_path / "gold.cache" / "tve_dataset").iterdir()) == []
