# SPDX-License-Identifier: Apache-2.0
"""The commands that measure: they run, say what they ran, fit lines; no speed is asserted."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines_dagster.phantom.market import bench, provenance, slope
from pipelines_dagster.phantom.market.config import MarketConfig

pytestmark = pytest.mark.spec("PH-12")


def test_bench_prints_both_tables(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(bench, "SIZES", (2, 3))
    monkeypatch.setattr(bench, "ENVS", 4)
    monkeypatch.setattr(bench, "expansion", lambda seed: [("none", "0", "0", str(seed))])
    there = tmp_path / "page.md"
    there.write_text("<!-- bench -->\n<!-- /bench -->\n")
    assert bench.main(["--seconds", "0.01", "--seed", "3", "--write", str(there)]) == 0
    text = there.read_text()
    assert text.count("| w1 | ") == 1
    assert "| 3 | 3 |" in text
    assert "seed 3" in capsys.readouterr().out


def test_expansion_rows():
    names = [row[0] for row in bench.expansion(1, 40)]
    assert names[0] == "dense matrix (not built)"
    assert len(names) == 4


def test_slope_fits_a_line():
    alpha = np.linspace(0, 1, 19)
    noise = np.random.default_rng(1).normal(0, 3, (5, len(alpha)))
    line = slope.fitted(alpha, 200 - 50 * alpha + noise)
    assert abs(line.slope + 50) < 2 * line.reach
    assert line.share == pytest.approx(-0.25, abs=0.02)


def test_a_seed_is_one_slope_however_many_shares_it_has():
    """Slopes -40, -50, -60: t of 2 degrees of freedom times 10 / sqrt(3)."""
    for shares in (3, 19, 190):
        alpha = np.linspace(0, 1, shares)
        line = slope.fitted(alpha, 200 - np.array([[40.0], [50.0], [60.0]]) * alpha)
        assert line.slope == pytest.approx(-50) and line.at_zero == pytest.approx(200)
        assert line.reach == pytest.approx(4.3027 * 10 / 3**0.5, rel=1e-4)


def test_the_best_price_is_chosen_on_other_seeds(monkeypatch):
    """Of two prices alike but for luck the lucky one is chosen; the line has none of that luck."""
    shares = len(slope.SHARES)
    monkeypatch.setattr(slope, "SEEDS", 2)

    def earned(config, prices, seed):
        luck = 9.0 if (prices[0] == 2.0) == (seed < 2) else 0.0
        return np.full(shares, 100.0 + luck)

    monkeypatch.setattr(slope, "episodes", earned)
    choices = np.array([[1.0], [2.0]])
    for line in slope.lines_of(MarketConfig(products=1), choices, 0):
        assert line.at_zero == pytest.approx(100.0) and line.revenue.shape == (2, shares)


def test_shares_meet_the_same_visitors():
    """The ends of the grid are a market of people alone and one of agents alone."""
    config = MarketConfig(products=3, sessions=20, steps=4, bank=8)
    found = slope.episodes(config, config.base, seed=1)
    assert found.shape == slope.SHARES.shape
    assert np.array_equal(found, slope.episodes(config, config.base, seed=1))
    assert found[0] > found[-1]


def test_slope_report(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(slope, "PRICES", np.array([30.0, 40.0]))
    monkeypatch.setattr(slope, "SEEDS", 2)
    there = tmp_path / "page.md"
    there.write_text("<!-- slope -->\n<!-- /slope -->\n")
    assert slope.main(["--products", "2", "--write", str(there)]) == 0
    assert "348,823" in there.read_text()
    assert "seed 0" in capsys.readouterr().out
    assert (tmp_path / "page_slope.svg").read_text().startswith("<?xml")


def test_free_prices_earn_the_published_order():
    """One unit a visit at the best price: what the published line has at alpha 0 and 1, to 7 %."""
    config = MarketConfig(products=10, bank=8)
    held = [slope.episodes(config, np.full(10, price), seed=1) for price in (34.0, 40.0)]
    best = np.maximum(*held)
    assert best[0] == pytest.approx(348_823, rel=0.07)
    assert best[-1] == pytest.approx(348_823 - 90_141, rel=0.07)


def test_provenance_names_command_and_commit(monkeypatch):
    assert "seed 5" in provenance.told(5)
    monkeypatch.setenv("PATH", "")
    assert provenance.sha() == "unknown"
