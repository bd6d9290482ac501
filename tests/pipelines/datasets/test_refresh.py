# SPDX-License-Identifier: Apache-2.0
"""Silver tables follow their sources: only what changed, and nothing twice, whatever dies when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from bls.errors import SkynetError
from pipelines_dagster.defs.datasets import refresh as module
from pipelines_dagster.defs.datasets.bids import RECIPE
from pipelines_dagster.defs.datasets.engine import Work
from pipelines_dagster.defs.datasets.refresh import refresh
from pipelines_dagster.defs.datasets.samples import RECIPE as SAMPLES
from pipelines_dagster.defs.datasets.tables import recipes, refresh_all
from pipelines_dagster.defs.gdpr.subject import Kind, Subject
from pipelines_dagster.defs.gdpr.tombstones import put
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.lake.partitions import version_of
from tests.pipelines.datasets.rig import MIDNIGHT, encode, lake_of, pour, rows, traffic

DAY = 86_400.0


def versions(lake: Lake) -> dict[str, int | None]:
    return {table: version_of(lake, table) for table in recipes()}


def test_without_news_nothing_is_written(lake: Lake) -> None:
    before = versions(lake)
    again = refresh_all(lake, encode=encode)
    assert all(done.days == () for done in again.values())
    assert versions(lake) == before and None not in before.values()


def test_only_days_with_news_are_made_again(tmp_path: Path) -> None:
    first = traffic(1, 4)
    lake = lake_of(tmp_path, first)
    assert refresh(lake, RECIPE).days == ("2025-01-01",)
    pour(lake, traffic(2, 4, start=MIDNIGHT + DAY), seq=1_000)
    assert refresh(lake, RECIPE).days == ("2025-01-03",)
    assert lake.progress_of("silver/bids", "bronze/auction_bids") == 2
    assert rows(lake, "silver/bids")["conv_id"].n_unique() == 8


def test_many_steps_end_where_one_does(tmp_path: Path) -> None:
    parts = [traffic(seed, 3, start=MIDNIGHT - 450 + 300 * seed) for seed in (1, 2)]
    stepwise, whole = Lake(str(tmp_path / "a")), Lake(str(tmp_path / "b"))
    for number, part in enumerate(parts):
        for lake in (stepwise, whole):
            pour(lake, part, seq=10_000 * number)
        refresh_all(stepwise, encode=encode)
    refresh_all(whole, encode=encode)
    for table in recipes():
        assert rows(stepwise, table).equals(rows(whole, table)), table


def test_rows_that_left_the_source_leave_the_table(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, traffic(count=5))
    refresh_all(lake, encode=encode)
    for table in ("auction_bids", "e2e_trace", "tve_feedback", "click_logs", "mro_select"):
        found = lake.open(f"bronze/{table}")
        assert found is not None
        found.delete("conv_id = 'sim_1_2'")
    refresh_all(lake, encode=encode)
    for table in recipes():
        left = rows(lake, table)
        if "conv_id" in left.columns:
            assert "sim_1_2" not in set(left["conv_id"])
        if "rejected_conv_id" in left.columns:
            assert "sim_1_2" not in set(left["rejected_conv_id"])


def test_the_erased_stay_out_where_the_charges_were_kept(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, traffic(count=5))
    put(lake, Subject(Kind.CONV, "sim_1_2"), keep_billing=True)
    refresh(lake, RECIPE)
    refresh(lake, SAMPLES)
    assert "sim_1_2" in set(lake.scan("bronze/auction_bids").collect()["conv_id"])
    for table in (RECIPE.table, SAMPLES.table):
        left = set(rows(lake, table)["conv_id"])
        assert "sim_1_2" not in left and "sim_1_1" in left, table


class DeathError(Exception):
    """The process went away here."""


def dies_after(calls: int, real: Callable[..., int]) -> Callable[..., int]:
    left = [calls]

    def write(*args: object, **kwargs: object) -> int:
        if not left[0]:
            raise DeathError
        left[0] -= 1
        return real(*args, **kwargs)

    return write


@pytest.mark.parametrize("commits", [0, 1, 2])
def test_a_death_between_commits_neither_loses_nor_repeats(
    tmp_path: Path, commits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One commit a day, here; the process dies before the first, second or third of them."""
    streams = traffic(count=9, gap_s=DAY / 2)
    lake, other = lake_of(tmp_path, streams), lake_of(tmp_path / "other", streams)
    monkeypatch.setattr(module, "BATCH_ROWS", 1)
    with monkeypatch.context() as dying:
        dying.setattr(module, "replace_days", dies_after(commits, module.replace_days))
        with pytest.raises(DeathError):
            refresh(lake, RECIPE)
    assert lake.progress_of("silver/bids", "bronze/auction_bids") is None
    refresh(lake, RECIPE)
    monkeypatch.undo()
    refresh(other, RECIPE)
    assert rows(lake, "silver/bids").equals(rows(other, "silver/bids"))
    assert refresh(lake, RECIPE).days == ()


class DiesOn:
    """An engine that dies with a day half way."""

    def __init__(self, place: int) -> None:
        self.place = place

    def run(self, work: Work, days: Sequence[str]) -> Iterator[pl.DataFrame]:
        for place, day in enumerate(days):
            if place == self.place:
                raise DeathError
            yield work(day)


def test_a_death_while_a_day_is_made_writes_nothing(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, traffic(count=9, gap_s=DAY / 2))
    for place in (0, 1):
        with pytest.raises(DeathError):
            refresh(lake, RECIPE, DiesOn(place))
        assert lake.open("silver/bids") is None


@pytest.mark.spec("TVE-I-03")
def test_a_late_click_makes_its_day_again(tmp_path: Path) -> None:
    """What a retraining of the value model sees changes with a click that comes the next day."""
    streams = traffic(count=4)
    lake = Lake(str(tmp_path))
    pour(lake, {name: lines for name, lines in streams.items() if name != "click.logs"})
    refresh(lake, SAMPLES)
    before = rows(lake, "silver/tve_samples")
    assert set(before["clicks"]) == {0} and set(before["impressions"]) == {1}
    late = (
        streams["click.logs"]
        .head(1)
        .with_columns(pl.col("ts") + 0.9 * DAY, clicks=pl.lit(7, pl.Int32))
    )
    pour(lake, {"click.logs": late})
    assert refresh(lake, SAMPLES).days == ("2025-01-01",)
    after = rows(lake, "silver/tve_samples").filter(pl.col("clicks") > 0)
    assert after["clicks"].to_list() == [7] and after.height == 1
    too_late = late.with_columns(pl.col("ts") + DAY)
    pour(lake, {"click.logs": too_late}, seq=10)
    refresh(lake, SAMPLES)
    assert rows(lake, "silver/tve_samples")["clicks"].sum() == 7


@pytest.mark.spec("TVE-C-06")
def test_a_build_with_other_columns_is_refused(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, traffic(count=1))
    wrong = replace(RECIPE, build=lambda frames, day: RECIPE.build(frames, day).drop("log_w"))
    with pytest.raises(SkynetError) as refused:
        refresh(lake, wrong)
    assert refused.value.code == "silver_schema" and "log_w" in refused.value.message


@pytest.mark.spec("TVE-C-06")
def test_a_table_of_another_schema_is_not_written_over(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, traffic(count=1))
    lake.append("silver/bids", pl.DataFrame({"ts": [0.0], "log_w": ["x"], "dt": ["1970-01-01"]}))
    with pytest.raises(SkynetError) as refused:
        refresh(lake, RECIPE)
    assert refused.value.code == "schema_violation"
