# SPDX-License-Identifier: Apache-2.0
"""Invalid traffic is marked in silver, left out of what trains, and counted there."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from pipelines_dagster.defs.datasets import contexts, rewards, validity
from pipelines_dagster.defs.datasets.ads import recipe as ads_recipe
from pipelines_dagster.defs.datasets.clicks import attributed
from pipelines_dagster.defs.datasets.gold import TVE, freeze
from pipelines_dagster.defs.datasets.pairs import RECIPE as PAIRS
from pipelines_dagster.defs.datasets.quality import table as judged
from pipelines_dagster.defs.datasets.refresh import refresh
from pipelines_dagster.defs.datasets.samples import RECIPE as SAMPLES
from pipelines_dagster.defs.market.as_events import Streams
from pipelines_dagster.defs.market.dataset import read_table
from pipelines_dagster.defs.training.lora import lake_pairs
from pipelines_dagster.lake.lake import Lake
from tests.pipelines.datasets.rig import encode, lake_of, traffic

_KEY = ["conv_id", "request_id", "advertiser"]
CLICKED, READ = "sim_1_3", "sim_1_5"
"""Conversations whose clicks are flagged, and whose receipts are."""


def told(streams: Streams) -> Streams:
    """The same traffic; two conversations were with programs."""
    of = pl.col("conv_id")
    clicks = streams["click.logs"].with_columns(
        invalid=of == CLICKED,
        agent_probability=pl.when(of == CLICKED).then(0.99).otherwise(0.05),
    )
    traffic_of = pl.struct(
        agent_probability=pl.when(of == READ).then(0.97).otherwise(-1.0),
        valid=of != READ,
        rule=pl.when(of == READ).then(pl.lit("agent_probability>=0.95")).otherwise(pl.lit("")),
    )
    receipts = streams["e2e.trace"].with_columns(traffic=traffic_of)
    return streams | {"click.logs": clicks, "e2e.trace": receipts}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    found = lake_of(tmp_path_factory.mktemp("lake"), told(traffic(count=24)))
    for recipe in (contexts.RECIPE, ads_recipe(encode), SAMPLES, PAIRS, rewards.RECIPE):
        refresh(found, recipe)
    return found


def invalid(lake: Lake, table: str) -> set[str]:
    rows = lake.scan(table).collect()
    return set(rows.filter(validity.INVALID)["conv_id"])


@pytest.mark.spec("PH-07", "PH-13")
def test_showings_of_programs_are_marked(lake: Lake) -> None:
    """By their click or by their receipt; nothing else is."""
    for recipe in (SAMPLES, rewards.RECIPE):
        assert invalid(lake, recipe.table) == {CLICKED, READ}
        assert judged(lake.scan(recipe.table), recipe).passed
    rows = lake.scan(SAMPLES.table).collect()
    scores = {name: rows.filter(conv_id=name)[validity.SCORE].unique() for name in (CLICKED, READ)}
    assert scores[CLICKED].to_list() == pytest.approx([0.99])
    assert scores[READ].to_list() == pytest.approx([0.97])


@pytest.mark.spec("PH-13")
def test_pairs_and_their_adapter_never_see_them(lake: Lake) -> None:
    pairs = lake.scan(PAIRS.table).collect()
    seen = set(pairs["conv_id"]) | set(pairs["rejected_conv_id"])
    assert seen and not seen & {CLICKED, READ}
    assert lake_pairs(lake, 1_000)


@pytest.mark.spec("PH-12", "PH-13")
def test_a_training_set_says_how_many_it_left_out(lake: Lake, tmp_path: Path) -> None:
    found = freeze(lake, TVE, tmp_path)
    samples = lake.scan(SAMPLES.table).filter(pl.col("delivered") > 0).collect()
    left = samples.filter(validity.INVALID).height
    assert found.card[validity.LEFT_OUT] == left > 0
    kept = read_table(found.folder, "tve_samples").height
    held = read_table(found.folder / "held", "tve_samples").height
    assert kept + held == samples.height - left


def test_what_it_clicked_sets_no_cap(lake: Lake) -> None:
    rows = lake.scan(rewards.RECIPE.table)
    assert validity.left_out(rows) > 0
    kept = validity.learned(rows).collect()
    assert not kept[validity.INVALID].any()
    assert rows.collect().height == kept.height + validity.left_out(rows)


@pytest.mark.spec("PH-14")
def test_tables_of_an_older_build_are_valid(tmp_path: Path) -> None:
    """No marks anywhere: neither in bronze nor in silver."""
    streams = traffic(count=3)
    clicks = streams["click.logs"].lazy()
    shown = streams["tve.feedback"].lazy()
    old = attributed(shown, clicks, streams["e2e.trace"].lazy()).collect()
    assert not old[validity.INVALID].any() and set(old[validity.SCORE]) == {-1.0}
    assert old["clicks"].sum() > 0
    plain = old.drop(*validity.MARKS).lazy()
    assert validity.learned(plain).collect().height == old.height
    assert validity.left_out(plain) == 0


@pytest.mark.spec("PH-13")
def test_what_is_likely_a_program_is_paid_for_and_not_learned_from() -> None:
    rows = pl.DataFrame({validity.SCORE: [-1.0, 0.49, 0.5, 0.96, None], "n": range(5)})
    marks = rows.with_columns(pl.Series(validity.INVALID, [False, False, False, True, None]))
    assert validity.learned(marks.lazy()).collect()["n"].to_list() == [0, 1, 4]
    assert validity.left_out(marks.lazy()) == 2


def test_the_last_reaction_decides(tmp_path: Path) -> None:
    """Told again as valid, a click is valid: a retold event replaces the one before."""
    streams = traffic(count=2)
    clicks = streams["click.logs"]
    wrong = clicks.with_columns(invalid=pl.lit(True), agent_probability=pl.lit(0.99))
    again = clicks.with_columns(pl.col("ts") + 1, invalid=pl.lit(False), agent_probability=0.1)
    both = pl.concat([wrong, again.select(wrong.columns)]).lazy()
    found = attributed(streams["tve.feedback"].lazy(), both).collect()
    assert found.join(clicks, on=_KEY).height > 0 and not found[validity.INVALID].any()
