# SPDX-License-Identifier: Apache-2.0
"""Training sets: reproducible, split by conversation, traceable, and good to train on."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import numpy as np
import polars as pl
import pytest
from botocore.exceptions import BotoCoreError

from bls.errors import SkynetError
from bls.settings import Settings
from export.bid_predictor.config import TrainConfig
from export.bid_predictor.training import train as train_predictor
from export.bid_predictor.windows import load_windows
from export.tve.config import Dims, Stage, TveConfig
from export.tve.train import train as train_tve
from pipelines_dagster.defs.datasets import quality
from pipelines_dagster.defs.datasets.bronze import as_bronze
from pipelines_dagster.defs.datasets.gold import (
    HELD,
    PREDICTOR,
    TVE,
    Frozen,
    GoldOptions,
    freeze,
    latest,
)
from pipelines_dagster.defs.datasets.lineage import offsets_of
from pipelines_dagster.defs.datasets.publish import fetch, publish
from pipelines_dagster.defs.datasets.split import held_out
from pipelines_dagster.defs.datasets.tables import refresh_all
from pipelines_dagster.defs.market.dataset import CARD, load_card, read_table, verify
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.settings import PipelineSettings
from tests.pipelines.datasets.rig import encode, lake_of, pour, traffic

ROOT = "gold"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gold")


@pytest.fixture(scope="module")
def predictor(lake: Lake, root: Path) -> Frozen:
    return freeze(lake, PREDICTOR, root)


@pytest.fixture(scope="module")
def tve(lake: Lake, root: Path) -> Frozen:
    return freeze(lake, TVE, root)


@pytest.mark.spec("CBP-I-03")
def test_the_predictor_trains_on_what_was_recorded(
    predictor: Frozen, lake: Lake, tmp_path: Path
) -> None:
    windows = load_windows(predictor.folder)
    held = load_windows(predictor.folder / HELD)
    assert len(windows) + len(held) == lake.scan("silver/bid_windows").collect().height
    tiny = TrainConfig(width=8, heads=2, hidden=8, layers=1, batch=32, pretrain_steps=1, steps=2)
    done = train_predictor(predictor.folder, replace(tiny, max_rows=2_000), 0, tmp_path)
    assert np.isfinite(done.metrics["validation.rmse"])


def test_the_windows_of_a_training_set_are_those_of_the_lake(predictor: Frozen, lake: Lake) -> None:
    windows = load_windows(predictor.folder)
    rows = read_table(predictor.folder, "bids").filter(pl.col("token_idx") >= 0)
    conv = pl.concat_str(["conv_id", "request_id"], separator=":")
    key = ["conv_id", "advertiser", "token_idx"]
    silver = lake.scan("silver/bid_windows").with_columns(conv_id=conv).collect()
    both = rows.sort(key).join(silver, on=key, how="left", maintain_order="left")
    assert np.allclose(windows.past, np.stack(both["past"].to_list()), atol=1e-6)
    assert np.allclose(windows.label, both["label"], atol=1e-6)


@pytest.mark.spec("TVE-I-03")
def test_the_value_model_trains_on_what_was_recorded(tve: Frozen, tmp_path: Path) -> None:
    stage = Stage(1e-3, 1)
    dims = Dims(ctx=8, ctx_tokens=4, ctx_layers=1, ad=8, ad_layers=1, fused=8, heads=2)
    tiny = TveConfig(dims, stage, stage, stage, batch=16, group=8, max_steps=1)
    assert np.isfinite(train_tve(tve.folder, tiny, 0, tmp_path).metrics["student_f32_rmse"])


def test_prices_and_labels_survive(tve: Frozen, lake: Lake) -> None:
    samples, ads = read_table(tve.folder, "tve_samples"), read_table(tve.folder, "ads")
    priced = samples.join(ads, on="ad_id")
    assert np.allclose(priced["value"], priced["clicks"].log1p() * priced["cpm"], rtol=1e-5)
    assert set(ads["cpc"]) == {0.0} and ads["ad_id"].to_list() == list(range(len(ads)))
    known = lake.scan("silver/ads").collect()
    assert set(ads["text"]) <= set(known["text"])


@pytest.mark.parametrize("name", [PREDICTOR, TVE])
def test_no_conversation_is_on_both_sides(
    name: str, predictor: Frozen, tve: Frozen, root: Path
) -> None:
    folder = {PREDICTOR: predictor, TVE: tve}[name].folder
    assert latest(root, name) == folder
    found = quality.training_set(folder, name)
    assert found.passed and found.rows > 0, found
    if name == PREDICTOR:
        held = read_table(folder / HELD, "bids")["conv_id"].str.split(":").list.first()
        assert all(held_out(conv, 0.1) for conv in held.unique())


def test_the_split_is_fair_and_for_ever() -> None:
    names = [f"conv-{n}" for n in range(5_000)]
    marks = [held_out(name, 0.1) for name in names]
    assert 0.08 < np.mean(marks) < 0.12
    assert marks == [held_out(name, 0.1) for name in names]
    assert all(held_out(n, 0.2) for n, mark in zip(names, marks, strict=True) if mark)


def test_the_same_rows_are_the_same_set(predictor: Frozen, lake: Lake, root: Path) -> None:
    again = freeze(lake, PREDICTOR, root)
    assert again == Frozen(predictor.folder, predictor.card, fresh=False)
    verify(predictor.folder)
    assert [path.name for path in (root / PREDICTOR).iterdir()] == [predictor.folder.name]


@pytest.mark.spec("ORC-I-06")
def test_rows_that_came_another_way_are_the_same_set(tmp_path: Path, server: str) -> None:
    """A folder filled at once and an S3 bucket filled in steps: equal SHA-256."""
    first, second = traffic(1, 16), traffic(2, 16)
    one = lake_of(tmp_path, first)
    pour(one, second, seq=9_000)
    settings = s3_settings(tmp_path, server)
    two = settings.open_lake()
    for number, part in enumerate((first, second)):
        pour(two, part, seq=9_000 * number)
        refresh_all(two, encode=encode)
    refresh_all(one, encode=encode)
    cards = [freeze(lake, TVE, tmp_path / str(n)) for n, lake in enumerate((one, two))]
    assert cards[0].card["content_sha256"] == cards[1].card["content_sha256"]
    assert cards[0].card["files"] == cards[1].card["files"]
    made = cards[1].folder
    assert publish(settings, TVE, made) == f"s3://lake/prefix/gold/{TVE}/{made.name}"
    back = fetch(settings, TVE, made.name, tmp_path / "back")
    assert load_card(back) == cards[1].card and load_card(back / HELD)["files"]
    with pytest.raises(SkynetError) as refused:
        fetch(settings, TVE, "0" * 16, tmp_path / "none")
    assert refused.value.code == "dataset_missing"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server of the S3 protocol with a bucket `lake`, in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = subprocess.DEVNULL
    with (
        pytest.MonkeyPatch.context() as patch,
        subprocess.Popen(command, stdout=quiet, stderr=quiet) as process,
    ):
        for name, value in _KEYS.items():
            patch.setenv(name, value)
        endpoint = f"http://127.0.0.1:{port}"
        try:
            _bucket(endpoint, time.monotonic() + 60)
            yield endpoint
        finally:
            process.terminate()


def _bucket(endpoint: str, deadline: float) -> None:
    client = boto3.client("s3", endpoint_url=endpoint)
    while True:
        try:
            client.create_bucket(Bucket="lake")
        except BotoCoreError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


_KEYS = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "test")
_KEYS |= dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), "us-east-1")


def s3_settings(state: Path, endpoint: str) -> PipelineSettings:
    return PipelineSettings(Settings(state=state), lake="s3://lake/prefix", s3_endpoint=endpoint)


def test_a_folder_lake_has_its_sets_already(tmp_path: Path) -> None:
    settings = PipelineSettings(Settings(state=tmp_path))
    assert publish(settings, TVE, tmp_path / "x") == (tmp_path / "x").as_uri()


@pytest.mark.spec("ORC-S-04")
def test_a_set_names_the_offsets_it_came_from(tmp_path: Path) -> None:
    """The data half of the lineage: a set's card -> lake versions -> Kafka offsets."""
    streams = traffic(count=30)
    lake = lake_of(tmp_path, {n: s for n, s in streams.items() if n != "tve.feedback"})
    halves = streams["tve.feedback"].head(20), streams["tve.feedback"].slice(20)
    for number, half in enumerate(halves):
        note = {"topic": "tve.feedback", "cluster": "c1", "ranges": _RANGES[number]}
        pour_with(lake, half, number, note)
    refresh_all(lake, encode=encode)
    card = freeze(lake, TVE, tmp_path / ROOT).card
    last = {name: lake.open(f"bronze/{name}").version() for name in ("tve_feedback", "click_logs")}
    assert card["lake"]["bronze/tve_feedback"] == last["tve_feedback"]
    assert card["lake"]["bronze/click_logs"] == last["click_logs"]
    spans = [("0", 3, 40), ("1", 0, 9)]
    expected = [{"cluster": "c1", "partition": p, "first": a, "last": b} for p, a, b in spans]
    assert card["offsets"] == {"tve.feedback": expected, "click.logs": [], "e2e.trace": []}
    assert len(card["code"].split("+")[1]) == 16
    older = offsets_of(lake, {"bronze/tve_feedback": last["tve_feedback"] - 1})
    assert older["tve.feedback"][0]["last"] == 19


_RANGES = (json.dumps({"0": [3, 20], "1": [0, 10]}), json.dumps({"0": [20, 41], "x": "y"}))


def pour_with(lake: Lake, lines: pl.DataFrame, number: int, note: dict[str, str]) -> None:
    rows = as_bronze("tve.feedback", lines, "sim", 1_000 * number)
    lake.append("bronze/tve_feedback", rows, origin=note)


def test_notes_in_another_form_say_nothing(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    for number, text in enumerate(("{", "[]", '{"0": null}')):
        pour_with(lake, traffic(count=1)["tve.feedback"], number, {"ranges": text})
    assert offsets_of(lake, {"bronze/tve_feedback": 2, "bronze/x": 1}) == {"tve.feedback": []}


def test_a_set_is_windowed_and_capped(lake: Lake, tmp_path: Path) -> None:
    all_rows = read_table(freeze(lake, PREDICTOR, tmp_path / "a").folder, "bids")
    day = freeze(lake, PREDICTOR, tmp_path / "b", GoldOptions(days=1, held=0.3))
    assert day.card["days"] == ["2025-01-02", "2025-01-02"]
    assert read_table(day.folder, "bids")["ts"].min() > all_rows["ts"].min()
    most = all_rows.height // 2
    capped = freeze(lake, PREDICTOR, tmp_path / "c", GoldOptions(rows=most, held=0.3)).card
    total = capped["rows"]["bids"] + capped["held_rows"]["bids"]
    assert 0.8 * most < total <= most
    few = freeze(lake, TVE, tmp_path / "d", GoldOptions(rows=50, held=0.3)).card
    assert few["rows"]["tve_samples"] + few["held_rows"]["tve_samples"] == 50
    settled = freeze(lake, TVE, tmp_path / "e", GoldOptions(settle_s=600, held=0.3)).card
    assert settled["rows"]["tve_samples"] < lake.scan("silver/tve_samples").collect().height / 1.5


def refusal(lake: Lake, name: str, root: Path) -> str:
    with pytest.raises(SkynetError) as refused:
        freeze(lake, name, root)
    return refused.value.code


@pytest.mark.spec("TVE-C-06")
def test_nothing_to_learn_from_is_refused(tmp_path: Path, lake: Lake) -> None:
    assert refusal(lake, "other", tmp_path) == "unknown_dataset"
    assert refusal(Lake(str(tmp_path / "none")), TVE, tmp_path) == "no_table"
    one = lake_of(tmp_path, traffic(count=1))
    refresh_all(one, encode=encode)
    assert refusal(one, PREDICTOR, tmp_path) == "dataset_empty"
    assert list((tmp_path / PREDICTOR).iterdir()) == []
    table = one.open("silver/tve_samples")
    assert table is not None
    table.delete()
    assert refusal(one, TVE, tmp_path) == "dataset_empty"
    assert latest(tmp_path, TVE) is None


@pytest.mark.parametrize(
    "options", [{"days": 0}, {"rows": 0}, {"held": 0.0}, {"held": 1.0}, {"settle_s": -1.0}]
)
def test_options_out_of_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(SkynetError):
        GoldOptions(**options)  # type: ignore[arg-type]


@pytest.mark.spec("TVE-C-06")
def test_a_damaged_set_does_not_pass(lake: Lake, tmp_path: Path) -> None:
    folder = freeze(lake, TVE, tmp_path).folder
    (folder / HELD / "ads.parquet").write_bytes(b"")
    assert quality.training_set(folder, TVE).faults["dataset_changed"] == 1
    (folder / HELD / CARD).unlink()
    assert quality.training_set(folder, TVE).faults["dataset_missing"] == 1


def test_a_retired_set_that_is_made_again_has_its_rows(lake: Lake, tmp_path: Path) -> None:
    first = freeze(lake, PREDICTOR, tmp_path)
    for path in first.folder.rglob("*.parquet"):
        path.unlink()
    assert latest(tmp_path, PREDICTOR) is None
    again = freeze(lake, PREDICTOR, tmp_path)
    assert again.fresh and again.folder == first.folder == latest(tmp_path, PREDICTOR)
    verify(again.folder)
    verify(again.folder / HELD)
    assert not freeze(lake, PREDICTOR, tmp_path).fresh
