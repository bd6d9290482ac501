# SPDX-License-Identifier: Apache-2.0
"""Readers' curves, labels and what a text's words do to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from bls.contracts import AD_TOKENS
from pipelines_dagster.defs.market import readers
from pipelines_dagster.defs.market.creatives import draw_text, dress, read
from pipelines_dagster.defs.market.dataset import load_dataset, load_truth


def curve(cosine: float, text: str) -> readers.Curve:
    return readers.curves(np.array([cosine]), [read(text)], readers.Cosine())


def test_words_move_the_plateau_as_their_weights_say() -> None:
    plain = curve(0.6, "Aldovia city bike.").v_max
    assert curve(0.6, "Aldovia city bike. Half price today.").v_max > plain
    assert curve(0.6, "Aldovia city bike. Unbelievable results.").v_max < plain
    assert curve(0.6, "ALDOVIA CITY BIKE.").v_max < plain


def test_relevance_and_annoyance() -> None:
    short, long = "Aldovia bike. Shop now.", "Aldovia bike. Shop now. " + "And so on it goes. " * 6
    assert curve(0.7, short).v_max > 1.5 * curve(0.0, short).v_max
    fits, not_at_all = (curve(c, long).v_max / curve(c, short).v_max for c in (0.8, 0.0))
    assert not_at_all < fits < 1.01


def test_the_hook_sets_the_midpoint_and_length_the_slope() -> None:
    early, late = "Shop now. Aldovia makes light bikes.", "Aldovia makes light bikes. Shop now."
    assert read(early).hook < read(late).hook
    assert curve(0.5, early).k_0 < curve(0.5, late).k_0
    assert curve(0.5, "Shop now.").a > curve(0.5, "word " * 40).a


def test_texts_past_the_longest_trajectory_are_cut() -> None:
    words = read("word " * 60 + "half price today")
    assert words.tokens == AD_TOKENS and words.quality == 0 and words.hook == AD_TOKENS
    assert read("").tokens == 1


def test_every_drawn_curve_passes_the_parameter_guard() -> None:
    rng = np.random.default_rng(0)
    words = [read(draw_text("Aldovia", topic % 64, rng)[0]) for topic in range(500)]
    made = readers.curves(rng.uniform(-0.2, 0.9, 500), words, readers.Cosine())
    assert made.k_0.min() >= 1 and made.a.max() <= 10 and made.v_max.min() > 0
    k = np.arange(1, AD_TOKENS + 1)
    assert np.all(np.diff(made.value(k[:, None]), axis=0) > 0)
    assert np.all(made.value(np.zeros(500)) == 0)


def test_the_label_is_logistic_in_expectation() -> None:
    value = np.array([0.1, 0.7, 2.0, 4.0])
    rng = np.random.default_rng(0)
    clicks = rng.poisson(readers.rate_of(value)[:, None], (4, 40_000))
    assert np.allclose(np.log1p(clicks).mean(axis=1), value, atol=0.01)
    assert np.allclose(readers.log_clicks(readers.rate_of(value)), value, atol=1e-3)


def test_a_perfect_model_explains_most_of_the_label(card: dict[str, Any]) -> None:
    assert 0.8 < card["irreducible"]["tve_r2"] < 0.95


def test_samples_follow_their_truth(folder: Path, card: dict[str, Any]) -> None:
    data, truth = load_dataset(folder), load_truth(folder)
    rows = data.tve_samples.join(data.ads, on="ad_id", maintain_order="left")
    price = readers.price(rows["cpm"].to_numpy(), rows["cpc"].to_numpy())
    label = np.log1p(rows["clicks"].to_numpy())
    assert np.allclose(rows["value"].to_numpy(), label * price, rtol=1e-4)
    residual = label - truth.samples["mean_log_clicks"].to_numpy()
    assert abs(residual.mean()) < 4 * residual.std() / np.sqrt(len(residual))
    assert (truth.samples["agent_clicks"] <= rows["clicks"]).all()
    key = ["day", "ctx_id", "ad_id", "delivered"]
    assert data.tve_samples.select(key).is_unique().all()
    pairs = data.tve_samples.select("ctx_id", "ad_id").unique()
    assert pairs.join(truth.tve, on=["ctx_id", "ad_id"]).height == pairs.height
    assert data.tve_samples["dwell_ms"].min() > 0 and truth.tve.select(pl.len()).item() > 0


def test_dressing_keeps_the_head() -> None:
    rng = np.random.default_rng(4)
    texts = [dress("Acme anvil: heavy", rng) for _ in range(50)]
    assert all("acme anvil: heavy" in text.lower() for text in texts)
    assert len(set(texts)) > 40


@pytest.mark.parametrize("share", [0, 1])
def test_dwell_grows_with_relevance(share: int) -> None:
    k = np.full(4_000, 40)
    both = [curve(c, "Aldovia bike. Shop now.") for c in (0.0, 0.8)]
    means = []
    for one in both:
        many = readers.Curve(**{n: np.repeat(v, len(k)) for n, v in vars(one).items()})
        means.append(readers.dwell_ms(many, k * share, np.random.default_rng(0)).mean())
    assert means[1] > means[0] if share else means[1] == means[0]
