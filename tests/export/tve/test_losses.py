# SPDX-License-Identifier: Apache-2.0
"""CRPS and L2: right values, better forecasts score better, and nothing is ever infinite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from export.tve.data import load, texts
from export.tve.feed import Feed, teach
from export.tve.losses import crps, draw, l2
from export.tve.model import DualTower, value_at
from export.tve.score import crps_log_normal
from export.tve.stages import Distil, Similarity, Supervised
from export.tve.tokens import train_tokenizer
from tests.export.tve.conftest import CONFIG, TINY


@pytest.mark.spec("TVE-U-05")
def test_a_better_forecast_has_a_lower_crps() -> None:
    """20 Monte-Carlo samples, as in training: nearer and sharper is better, also together."""
    random = torch.Generator().manual_seed(0)
    noise = torch.randn(500, 20, generator=random)
    observed = 2.0 + 0.2 * torch.randn(500, generator=random)
    k = torch.full((500,), 40)

    def of(v_max: float, spread: float) -> float:
        curve = torch.tensor([v_max, 1.0, 2.0, spread]).expand(500, 4)
        return float(crps(draw(curve, k, noise), observed).mean())

    good, off, blurred = of(2.0, 0.2), of(3.0, 0.2), of(2.0, 1.0)
    assert good < off and good < blurred
    assert good < of(2.0, 0.02)  # too sure


def test_samples_estimate_the_integral_of_the_appendix() -> None:
    mean, sd, observed = 1.5, 0.6, 2.1
    variance = np.log1p((sd / mean) ** 2)
    law = stats.lognorm(np.sqrt(variance), scale=mean * np.exp(-variance / 2))
    wanted, _ = integrate.quad(lambda s: (law.cdf(s) - (s >= observed)) ** 2, 0, 30, points=[2.1])
    exact = crps_log_normal(np.array([mean]), np.array([sd]), np.array([observed]))
    assert exact[0] == pytest.approx(wanted, rel=1e-5)
    noise = torch.randn(20_000, 20, generator=torch.Generator().manual_seed(1))
    curve = torch.tensor([mean, 10.0, 1.0, sd]).expand(20_000, 4)
    samples = draw(curve, torch.full((20_000,), 48), noise)
    assert float(samples.mean()) == pytest.approx(mean, rel=0.01)
    estimate = crps(samples, torch.full((20_000,), observed)).mean()
    assert float(estimate) == pytest.approx(wanted, rel=0.02)


def test_l2_is_the_mean_square_of_the_matrices() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.LayerNorm(2), torch.nn.Linear(2, 1))
    with torch.no_grad():
        model[0].weight.fill_(2.0)
        model[2].weight.fill_(-1.0)
    assert float(l2(model).detach()) == pytest.approx((4 * 4 + 2 * 1) / 6)


@pytest.mark.spec("TVE-U-04")
def test_a_hundred_batches_of_every_stage_have_finite_losses(market: Path) -> None:
    """Random rows, labels stretched up to a thousandfold, weights moved by every step."""
    tokenizer = train_tokenizer(texts(market), 400)
    samples = load(market, tokenizer)
    torch.manual_seed(0)
    model = DualTower(TINY, tokenizer.get_vocab_size(), float(samples.label.std()))
    told = teach(model.eval(), samples)
    stages = [
        kind(model=model, config=CONFIG, stage=CONFIG.supervised, steps=100, seed=0)
        for kind in (Similarity, Supervised, Distil)
    ]
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.01)
    feed = Feed(samples, CONFIG, 0, told)
    done = 0
    while done < 100:
        for batch in feed:
            batch.label = batch.label * 10.0 ** (done % 4)
            for stage in stages:
                stage.report = lambda loss, **parts: loss  # type: ignore[method-assign]
                loss = stage.training_step(batch, done)
                assert loss.isfinite()
                optimiser.zero_grad()
                loss.backward()
                grown = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                assert grown.isfinite()
                optimiser.step()
            done += 1
    assert value_at(told, torch.ones(len(told))).isfinite().all()
