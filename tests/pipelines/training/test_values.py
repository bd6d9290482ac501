# SPDX-License-Identifier: Apache-2.0
"""Bandit, tuner and axes: what they learn, and how it becomes live."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bls.brain.context import axes as projection
from bls.brain.live_params import LiveParams
from bls.brain.params import MpcParams
from bls.errors import SkynetError
from bls.keys import private
from bls.keys.folder import FolderStore
from bls.keys.signing import load_trusted
from bls.models.model_key import ModelKey
from export.context_encoder.cluster import aligned, candidates, centroids, kmeans
from export.context_encoder.report import report
from export.errors import ExportError
from export.llm.safetensors_file import SafetensorsFiles
from pipelines_dagster.defs.market.ab.models import ewma_forecast, oracle_curves
from pipelines_dagster.defs.market.simulate import Size, simulate
from pipelines_dagster.defs.promotion import ledger as log
from pipelines_dagster.defs.promotion.desk import Desk, open_desk
from pipelines_dagster.defs.promotion.ledger import Event
from pipelines_dagster.defs.promotion.publish import AXES_KEY, LAMBDA_KEY, PARAMS_KEY, publish
from pipelines_dagster.defs.promotion.validation import validate
from pipelines_dagster.defs.training import axes, bandit, tuner
from pipelines_dagster.defs.training.run import train_one
from pipelines_dagster.defs.training.values import read_value, write_value
from pipelines_dagster.registry.store import local_path
from pipelines_dagster.settings import PipelineSettings

SMALL = tuner.Size(tuning_seeds=1, seeds=2, conversations=8)


def choices(count: int, rng: np.random.Generator, better: float = 0.3) -> pl.DataFrame:
    """Choices of every bucket with money of a click in currency units; `better` clicks more."""
    bucket = rng.choice(bandit.BUCKETS, count)
    clicked = rng.random(count) < np.where(bucket == better, 0.06, 0.04)
    money = clicked * rng.lognormal(3.0, 0.3, count)
    now = time.time()
    day = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")
    return pl.DataFrame({"bucket": bucket, "money": money, "ts": now, "dt": day})


@pytest.mark.spec("MRO-I-04")
def test_the_bucket_that_wins_gains_weight(settings: PipelineSettings, desk: Desk) -> None:
    rng = np.random.default_rng(1)
    weights, versions = [], []
    for count in (1_000, 200_000):  # the second brings more than 10,000 clicks
        desk.lake.append(bandit.TABLE, choices(count, rng))
        trained = train_one("lambda_bandit", settings, desk)
        assert validate(trained, settings, desk).passed
        publish(desk, trained.stored)
        entry = desk.keys.get(LAMBDA_KEY)
        assert entry is not None
        weights.append(entry.value["weights"]["0.3"])
        versions.append(entry.version)
    assert sum(entry.value["weights"].values()) == pytest.approx(1)
    assert weights[1] > max(0.9, weights[0]) and versions == [1, 2]
    assert (entry.value["lambda_sem"], entry.value["lambda_val"]) == (0.3, 0.7)


def test_money_is_scaled_and_every_row_counts() -> None:
    money = [50.0] * 100 + [0.0] * 10 + [50.0]
    rows = pl.DataFrame({"bucket": [0.1] * 100 + [0.9] * 10 + [1.0], "money": money})
    a, b, cap = bandit.posterior(rows)
    assert cap == 50.0 and (a[0], b[0]) == (101, 1) and (a[8], b[8]) == (1, 11)
    assert (a[1:8] == 1).all() and (b[1:8] == 1).all()
    assert bandit.weights(a, b, 0).sum() == pytest.approx(1)
    nobody = bandit.posterior(pl.DataFrame({"bucket": [0.2], "money": [0.0]}))
    assert nobody[2] == 0 and nobody[1][1] == 2


def test_no_choices_no_bandit(settings: PipelineSettings, desk: Desk) -> None:
    with pytest.raises(SkynetError) as refused:
        train_one("lambda_bandit", settings, desk)
    assert refused.value.code == "no_data"
    old = choices(10, np.random.default_rng(0)).with_columns(ts=pl.lit(0.0))
    desk.lake.append(bandit.TABLE, old)
    with pytest.raises(SkynetError, match="recent"):
        train_one("lambda_bandit", settings, desk)


def test_the_search_finds_what_pays() -> None:
    live = MpcParams(w_max=0.0)  # never bids
    found = tuner.search(live, {"w_max": (0.0, 3.0)}, SMALL, ewma_forecast, oracle_curves)
    assert found.params.w_max == 3.0
    assert found.lift.value == pytest.approx((found.guided - found.base).mean())
    assert found.lift.low > 0 == found.base.max()
    made = tuner.combinations(MpcParams(), {"horizon": (3, 8), "momentum": (16,)})
    assert [one.horizon for one in made] == [8, 3]


def test_nothing_better_changes_nothing(
    settings: PipelineSettings, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(tuner.GRIDS, "quick", {"w_max": (0.0,)})
    monkeypatch.setitem(tuner.SIZES, "quick", tuner.Size(1, 1, 2))
    with pytest.raises(SkynetError) as refused:
        train_one("tuner", settings, desk)
    assert refused.value.code == "nothing_better" and desk.ledger.candidate("tuner") is None


def tuned(desk: Desk, tmp_path: Path, name: str = "tuner_1", low: float = 0.02) -> Event:
    """A version of the tuner as `run` writes it."""
    value = MpcParams(horizon=5, momentum=8).model_dump()
    folder = write_value(
        tmp_path / name, "tuner", value, metrics={"lift_low": low}, origin="0" * 64, seed=0
    )
    return Event(name, log.TRAINED, desk.artefacts.put("tuner", name, folder))


@pytest.mark.spec("ORC-I-05")
def test_tuned_parameters_reach_the_controller(
    settings: PipelineSettings, desk: Desk, tmp_path: Path
) -> None:
    key = tmp_path / "operator.pem"
    private.create(key)
    signed = open_desk(replace(settings, signing_key=str(key)))
    live = LiveParams(
        FolderStore(settings.serving.keys_folder, period_s=0.02),
        load_trusted(str(private.public_file(key))),
        signed.streams,
    )
    try:
        assert live.current.horizon == 8
        trained = tuned(signed, tmp_path)
        assert validate(trained, settings, signed).passed
        publish(signed, trained.stored)
        deadline = time.monotonic() + 20
        while live.version == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert (live.current.horizon, live.current.momentum, live.version) == (5, 8, 1)
    finally:
        live.close()
    reloaded = json.loads((signed.streams.folder / "config.reload.log").read_text())
    assert reloaded["key"] == PARAMS_KEY and reloaded["key_id"]


def test_parameters_are_never_unsigned(
    settings: PipelineSettings, desk: Desk, tmp_path: Path
) -> None:
    trained = tuned(desk, tmp_path)
    with pytest.raises(SkynetError) as refused:
        publish(desk, trained.stored)
    assert refused.value.code == "no_gate"
    validate(trained, settings, desk)
    with pytest.raises(SkynetError) as refused:
        publish(desk, trained.stored)
    assert refused.value.code == "no_signing_key" and desk.keys.get(PARAMS_KEY) is None
    worse = tuned(desk, tmp_path, "tuner_2", low=-0.01)
    validate(worse, settings, desk)
    with pytest.raises(SkynetError) as refused:
        publish(desk, worse.stored)
    assert refused.value.code == "gate_failed"


def test_a_value_that_is_none_is_refused(tmp_path: Path) -> None:
    for text in ("[]", "{", None):
        if text is not None:
            (tmp_path / "value.json").write_text(text)
        with pytest.raises(SkynetError) as refused:
            read_value(tmp_path)
        assert refused.value.code == "bad_artefact"
        (tmp_path / "value.json").unlink(missing_ok=True)
    assert bandit.weights_of({"weights": {"0.1": 1}}) is None


def embedded(count: int, seed: int) -> np.ndarray:
    """Unit vectors [count, 384] near a 100-dimensional subspace."""
    rng = np.random.default_rng(seed)
    base = np.random.default_rng(0).normal(size=(100, 384))
    rows = rng.normal(size=(count, 100)) @ base + rng.normal(0, 0.5, (count, 384))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.spec("MRO-C-06")
def test_both_ways_to_axes_are_orthonormal() -> None:
    fitted, held = embedded(600, 1), embedded(200, 2)
    found = candidates(fitted, seed=3)
    figures = {name: report(projection.check(p_k), held, 0) for name, p_k in found.items()}
    assert figures["pca"]["pair_error"] <= figures["kmeans"]["pair_error"] < 0.03
    live = found["kmeans"]
    turned = aligned(found["pca"], live)
    assert np.abs(turned - live).mean() < np.abs(found["pca"] - live).mean()
    kept = [held @ p_k.T @ p_k for p_k in (turned, found["pca"])]
    np.testing.assert_allclose(kept[0], kept[1], atol=1e-5)  # the same subspace
    with pytest.raises(ExportError, match="128 texts"):
        centroids(fitted[:100], 0)


def test_kmeans_finds_clusters() -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 10, (5, 8))
    points = centres[rng.integers(0, 5, 300)] + rng.normal(0, 0.01, (300, 8))
    found, label = kmeans(points, 20, 1)
    assert np.abs(points - found[label]).mean() < 0.1
    again, _ = kmeans(points, 20, 1)
    np.testing.assert_array_equal(found, again)


@pytest.mark.spec("MRO-C-06")
def test_axes_are_a_pointer(settings: PipelineSettings, desk: Desk, tmp_path: Path) -> None:
    dataset = tmp_path / "ads"
    simulate(dataset, 1, Size(conversations=1, contexts=20, ads=260, pairs=1))
    trained = train_one("axes", settings, desk, dataset=dataset)
    metrics = trained.details["metrics"]
    assert {"pca.cosine_drop", "kmeans.cosine_drop"} <= metrics.keys()
    (line,) = (desk.streams.folder / "axes.pca.report").read_text().splitlines()
    told = json.loads(line)
    assert told[told["shipped"]]["pair_error"] == min(
        told[n]["pair_error"] for n in ("pca", "kmeans")
    )
    folder = local_path(trained.stored.uri)
    projection.check(SafetensorsFiles(folder).floats(projection.P_K))
    assert validate(trained, settings, desk).passed is (metrics["pair_error"] <= 0.03)
    desk.ledger.append(Event(trained.promotion, log.GATE, trained.stored))
    publish(desk, trained.stored)
    entry = desk.keys.get(AXES_KEY)
    assert entry is not None and ModelKey.of(entry.value) == trained.stored.key()


def test_too_few_texts_make_no_axes(settings: PipelineSettings, desk: Desk) -> None:
    with pytest.raises(SkynetError) as refused:
        train_one("axes", settings, desk)
    assert refused.value.code == "no_data" and axes.LEAST == 200
