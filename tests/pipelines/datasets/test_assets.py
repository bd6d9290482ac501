# SPDX-License-Identifier: Apache-2.0
"""The area as Dagster sees it: what there is, what it needs, and one run of the whole job."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from pipelines_dagster.defs.datasets.asset_checks import recent
from pipelines_dagster.defs.datasets.assets import GROUP, gold_root
from pipelines_dagster.defs.datasets.definitions import DEFS
from pipelines_dagster.defs.datasets.gold import TVE, latest
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.resources import Pipelines
from pipelines_dagster.settings import load_pipeline_settings
from tests.pipelines.datasets.rig import lake_of, pour, traffic

WHOLE = dg.Definitions.merge(DEFS, dg.Definitions(resources={"pipelines": Pipelines()}))


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SKYNET_PIPELINES_LAKE", str(tmp_path / "lake"))
    return tmp_path


def test_everything_loads_and_knows_what_it_is_made_from() -> None:
    dg.Definitions.validate_loadable(WHOLE)
    specs = {spec.key.to_user_string(): spec for spec in WHOLE.resolve_all_asset_specs()}
    made = {key for key, spec in specs.items() if spec.group_name == GROUP}
    tables = ("bids", "bid_windows", "contexts", "ads", "tve_samples", "click_pairs")
    silver = {f"silver/{name}" for name in (*tables, "lambda_rewards", "sessions")}
    assert made == silver | {"gold/predictor_dataset", "gold/tve_dataset"}
    needs = {key: {d.asset_key.to_user_string() for d in specs[key].deps} for key in made}
    assert needs["silver/bids"] == {"bronze/auction_bids", "bronze/e2e_trace"}
    assert needs["gold/tve_dataset"] == {"silver/tve_samples", "silver/contexts", "silver/ads"}
    assert all(specs[key].freshness_policy is not None for key in silver)


def test_the_job_makes_everything_and_its_checks_pass(state: Path) -> None:
    lake_of(state, traffic(count=30))
    done = WHOLE.resolve_job_def("datasets").execute_in_process(raise_on_error=False)
    checks = {(c.asset_key.to_user_string(), c.check_name): c for c in _checks(done)}
    failed = {key: c.metadata for key, c in checks.items() if not c.passed}
    assert done.success and not failed, failed
    assert len(checks) == 15 and ("gold/tve_dataset", "form") in checks
    folder = latest(gold_root(load_pipeline_settings()), TVE)
    assert folder is not None and folder.is_relative_to(state / "lake" / "gold")


@pytest.mark.spec("TVE-C-06")
def test_a_lake_without_rows_fails_before_a_training_set(state: Path) -> None:
    pour(Lake(str(state / "lake")), traffic(count=1), only=["e2e.trace"])
    done = WHOLE.resolve_job_def("datasets").execute_in_process(raise_on_error=False)
    assert not done.success
    passed = {(c.asset_key.to_user_string(), c.check_name): c.passed for c in _checks(done)}
    assert passed["silver/bids", "form"] is False
    assert ("gold/predictor_dataset", "form") not in passed
    assert latest(gold_root(load_pipeline_settings()), TVE) is None


def test_a_bucket_keeps_its_training_sets_here(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKYNET_PIPELINES_LAKE", "s3://bucket/lake")
    settings = load_pipeline_settings()
    assert gold_root(settings) == settings.serving.state / "gold"


def test_only_the_newest_days_are_looked_at(state: Path) -> None:
    lake = lake_of(state, traffic(count=10, gap_s=86_400.0))
    rows = recent(lake, "bronze/e2e_trace")
    assert rows is not None and rows.collect()["dt"].n_unique() <= 3
    assert recent(lake, "silver/none") is None


def _checks(done: dg.ExecuteInProcessResult) -> list[dg.AssetCheckEvaluation]:
    return done.get_asset_check_evaluations()
