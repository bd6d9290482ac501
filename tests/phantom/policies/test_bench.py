# SPDX-License-Identifier: Apache-2.0
"""The benchmark: paired seeds, the audit trail, the same numbers on Ray, refusals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bls.errors import SkynetError
from bls.settings import Settings
from client.commands.phantom import phantom
from pipelines_dagster.phantom.bench import stats, tables
from pipelines_dagster.phantom.bench.columns import Columns
from pipelines_dagster.phantom.bench.evaluate import evaluate
from pipelines_dagster.phantom.bench.page import write_into
from pipelines_dagster.phantom.bench.plan import BenchPlan
from pipelines_dagster.phantom.bench.report import log_report, write_report
from pipelines_dagster.phantom.bench.run import run
from pipelines_dagster.phantom.bench.work import Judge, Result, here, on_ray
from pipelines_dagster.phantom.market.config import MarketConfig
from pipelines_dagster.phantom.policies.policy import F32, I64
from pipelines_dagster.phantom.policies.rules import Static
from pipelines_dagster.phantom.policies.train import TrainPlan
from pipelines_dagster.settings import PipelineSettings


@pytest.fixture(scope="module")
def plan(market: MarketConfig) -> BenchPlan:
    return BenchPlan(
        ("static", "surge", "linear"),
        ("none", "grid"),
        (0.0, 0.6, 1.0),
        seeds=2,
        timesteps=40,
        episodes=2,
        wide=5,
        market=market,
    )


@pytest.fixture(scope="module")
def results(plan: BenchPlan) -> list[Result]:
    return run(plan)


@pytest.mark.spec("PH-12")
def test_policies_of_a_seed_meet_the_same_visitors(market: MarketConfig) -> None:
    class Still:
        """The base price by another class."""

        def act(self, observation: F32) -> I64:
            return Static().act(observation)

    mine, other = (evaluate(each, market, 0.4, 7) for each in (Static(), Still()))
    assert mine == other
    assert mine != evaluate(Static(), market, 0.4, 8)
    assert mine.ux == 0 and mine.supra == 0 and mine.length == market.steps
    assert mine.margin == pytest.approx(1 - market.cost)


@pytest.mark.spec("PH-12")
def test_a_market_that_ended_earns_nothing_more(market: MarketConfig) -> None:
    class Cheapest:
        def act(self, observation: F32) -> I64:
            return np.zeros_like(Static().act(observation))

    found = evaluate(Cheapest(), market, 0.0, 0)
    assert found.length == market.patience  # 2.5 % of margin is under the floor
    patient = evaluate(Cheapest(), replace(market, margin_floor=0.0), 0.0, 0)
    assert patient.length == market.steps and patient.revenue > found.revenue


@pytest.mark.spec("PH-12")
def test_a_market_that_ended_is_out_of_the_price_trace(market: MarketConfig) -> None:
    class Half:
        """The base price in one market, the least in the other."""

        def act(self, observation: F32) -> I64:
            levels = Static().act(observation)
            levels[1:] = 0
            return levels

    trace = evaluate(Half(), market, 0.0, 0, episodes=2).trace
    assert all(level < 1 for level in trace[: market.patience])
    assert trace[market.patience :] == (1.0,) * (market.steps - market.patience)


@pytest.mark.spec("PH-12")
def test_every_policy_has_every_seed_and_share(plan: BenchPlan, results: list[Result]) -> None:
    columns = Columns(results)
    assert columns.names == plan.policies()
    assert ("static", "grid") not in columns.names
    for name in columns.names:
        assert columns.figure(name, "revenue").shape == (2, 3)
        assert columns.figure(name, "revenue", wide=True).shape == (2, 3)
    text = tables.against(columns)
    assert "linear, grid" in text and "static" not in text
    assert "published" in tables.slopes(columns)


@pytest.mark.spec("PH-12")
def test_the_report_carries_its_trail(
    plan: BenchPlan, results: list[Result], tmp_path: Path
) -> None:
    text, files = write_report(tmp_path, plan, results)
    assert all(path.stat().st_size for path in files)
    trail = json.loads((tmp_path / "results.json").read_text())["trail"]
    assert trail["seeds"] == [0, 1] and trail["git"] and trail["argv"]
    assert trail["git"][:12] in text
    again = tmp_path / "again"
    write_report(again, plan, results)
    assert (again / "plot.svg").read_bytes() == (tmp_path / "plot.svg").read_bytes()
    settings = PipelineSettings(Settings(state=tmp_path / "state"))
    assert log_report(settings, plan, results, files)


@pytest.fixture
def cluster() -> Iterator[str]:
    import ray  # noqa: PLC0415

    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    yield "local"
    ray.shutdown()


@pytest.mark.spec("PH-11")
def test_a_cluster_gives_the_same_numbers(
    cluster: str, plan: BenchPlan, results: list[Result]
) -> None:
    there = run(plan, on_ray(cluster))
    assert [one.origin for one in there] == [one.origin for one in results]
    for mine, theirs in zip(results, there, strict=True):
        assert mine.outcomes == theirs.outcomes and mine.wide == theirs.wide

    def broken(job: TrainPlan) -> Result:
        raise SkynetError("bad_market", "no", 400)

    with pytest.raises(SkynetError) as refused:
        list(on_ray(cluster)(broken, plan.jobs()))
    assert refused.value.code == "bad_market"


def test_here_is_in_order(plan: BenchPlan) -> None:
    one = BenchPlan(("static",), ("none",), (0.5,), 2, 1, 1, 0, plan.market)
    assert [each.origin.seed for each in here(Judge(one), one.jobs())] == [0, 1]


@pytest.mark.spec("PH-12")
def test_an_interrupt_keeps_whole_seeds(plan: BenchPlan, results: list[Result]) -> None:
    def cut(_: object, jobs: Iterable[TrainPlan]) -> Iterator[Result]:
        yield from results[: len(list(jobs)) - 1]
        raise KeyboardInterrupt

    kept = run(plan, cut)
    assert {one.origin.seed for one in kept} == {0} and len(kept) == len(plan.policies())
    with pytest.raises(KeyboardInterrupt):
        run(replace(plan, seeds=1), cut)


@pytest.mark.spec("PH-12")
def test_intervals() -> None:
    draw = np.random.default_rng(0)
    base = draw.normal(100, 20, 12)
    paired = stats.change(base * 1.02, base)
    assert paired.low == pytest.approx(0.02) and paired.high == pytest.approx(0.02)
    assert stats.difference(base + 1, base).value == pytest.approx(1)
    x = np.array([0.0, 0.5, 1.0])
    start, slope = stats.line(x, base[:, None] - 30 * x)
    assert slope.low == pytest.approx(-30) and start.low < base.mean() < start.high
    one = stats.mean(base[:1])
    assert np.isnan(one.low) and np.isnan(one.high) and one.as_json()["low"] is None
    with pytest.raises(SkynetError) as refused:
        stats.mean(np.zeros(0))
    assert refused.value.code == "no_data"


@pytest.mark.spec("PH-12")
@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_an_interval_has_the_mean_in_95_of_100_draws(seeds: int) -> None:
    draw = np.random.default_rng(0)
    found = [stats.mean(draw.normal(1.0, 2.0, seeds)) for _ in range(1000)]
    assert 0.93 < np.mean([one.low <= 1.0 <= one.high for one in found]) < 0.97


@pytest.mark.spec("PH-12")
@pytest.mark.parametrize("seeds", [1, 2, 4])
def test_few_seeds_have_no_verdict(plan: BenchPlan, results: list[Result], seeds: int) -> None:
    text = tables.against(_better(results, seeds))
    assert tables.TOO_FEW in text and "better" not in text and "nan" not in text
    assert ("(" in text) == (seeds > 1)
    assert "better" in tables.against(_better(results, 5))
    assert "nan" not in tables.tiers(_better(results, seeds)).lower()


def _better(results: list[Result], seeds: int) -> Columns:
    """Grid earns 2 % more than its plain twin, at every share and seed."""
    found = []
    for seed in range(seeds):
        for one in results:
            if one.origin.tier == "linear" and one.origin.seed == 0:
                more = 1.02 if one.origin.robust == "grid" else 1.0
                outcomes = {
                    alpha: replace(told, objective=more * (1e5 + seed))
                    for alpha, told in one.outcomes.items()
                }
                origin = replace(one.origin, seed=seed)
                found.append(replace(one, origin=origin, outcomes=outcomes))
    return Columns(found)


@pytest.mark.parametrize(
    "odd", [{"tiers": ()}, {"alphas": (1.5,)}, {"seeds": 0}, {"robust": ("best",)}]
)
def test_a_plan_that_is_none_is_refused(odd: dict[str, object]) -> None:
    with pytest.raises(SkynetError) as refused:
        replace(BenchPlan(), **odd)  # type: ignore[arg-type]
    assert refused.value.code == "bad_plan"


@pytest.mark.spec("PH-12")
def test_the_command_writes_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- bench constant -->\nold\n<!-- /bench constant -->\nz\n")
    asked = ["bench", "--tiers", "static", "--robust", "none", "--alpha-values", "0,1"]
    asked += ["--seeds", "1", "--episodes", "1", "--wide", "0", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(phantom, [*asked, "--write", str(page)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "old" not in page.read_text() and "| static |" in page.read_text()
    assert (tmp_path / "page_constant.svg").stat().st_size
    with pytest.raises(SkynetError) as refused:
        write_into(tmp_path / "none.md", "", "bench")
    assert refused.value.code == "bad_page"


@pytest.mark.parametrize(
    "odd",
    [["--tiers", "best"], ["--alpha-values", "a"], ["--workers", "moon"], ["--seeds", "0"]],
)
def test_the_command_refuses(odd: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(phantom, ["bench", *odd, "--out", str(tmp_path)])
    assert done.exit_code == 2
