# SPDX-License-Identifier: Apache-2.0
"""`models/lora` on a tiny LLM: from the lake's pairs to a version that `/cg/lora` can name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from bls.errors import SkynetError
from bls.llm.adapter_file import AdapterShape, check_folder, read_adapter
from export.llm.tiny import write_tiny_source
from export.manifest import MANIFEST_NAME, file_sha256
from pipelines_dagster.defs.promotion.desk import Desk
from pipelines_dagster.defs.training import lora
from pipelines_dagster.defs.training.run import train_one
from pipelines_dagster.settings import PipelineSettings

KEY = {"conv_id": "c", "request_id": "r"}


def fill(desk: Desk, pairs: int) -> None:
    """Pair i: the advertiser's creative a<i> was clicked i + 1 times, b<i> was not."""
    day = "2026-11-22"
    rows = [KEY | {"advertiser": f"x{i}", "dt": day} for i in range(pairs)]
    chosen = [row | {"chosen": f"a{i}", "rejected": f"b{i}"} for i, row in enumerate(rows)]
    desk.lake.append(lora.TABLE, pl.DataFrame(chosen))
    shown = [row | {"clicks": i + 1} for i, row in enumerate(rows)]
    desk.lake.append(lora.SHOWINGS, pl.DataFrame(shown))
    ads = [
        {"ad_key": f"{kind}{i}", "text": f"{kind} says {i}", "ts": 1.0, "dt": day}
        for i in range(pairs)
        for kind in "ab"
    ]
    desk.lake.append(lora.ADS, pl.DataFrame(ads))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    profile = lora.Profile(pairs=20, simulated=4, steps=2, batch=2, learning_rate=1e-3, rank=4)
    monkeypatch.setitem(lora.PROFILES, "quick", profile)
    monkeypatch.setattr(lora, "SOURCE", str(write_tiny_source(tmp_path / "tiny")))


@pytest.mark.usefixtures("small")
def test_a_version_from_the_lake(settings: PipelineSettings, desk: Desk, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    fill(desk, 12)
    cached = replace(settings.serving, cache=tmp_path / "cache")
    event = train_one("lora", replace(settings, serving=cached), desk)
    folder = desk.artefacts.fetch(event.stored)
    manifest = check_folder(folder, file_sha256(folder / MANIFEST_NAME))
    assert manifest.metrics["pairs"] == 16 and event.stored.subsystem == "lora"
    found = read_adapter(folder, AdapterShape(2, 64, 64, {"q": 64, "v": 32}))
    assert found["q_b"].any()


def test_pairs_of_the_lake(desk: Desk) -> None:
    with pytest.raises(SkynetError) as refused:
        lora.lake_pairs(desk.lake, 5)
    assert refused.value.code == "no_data"
    fill(desk, 12)
    pairs = lora.lake_pairs(desk.lake, 10)
    assert len(pairs) == 10
    assert all(one.chosen.split()[-1] == one.rejected.split()[-1] for one in pairs)
    assert all(one.clicks == (int(one.chosen.split()[-1]) + 1, 0) for one in pairs)


def test_too_few_pairs_are_no_data(desk: Desk) -> None:
    fill(desk, 3)
    with pytest.raises(SkynetError) as refused:
        lora.lake_pairs(desk.lake, 10)
    assert refused.value.code == "no_data"
