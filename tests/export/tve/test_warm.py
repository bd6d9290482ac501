# SPDX-License-Identifier: Apache-2.0
"""A training goes on from a version's own graph."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.errors import ExportError
from export.tve.data import load, split
from export.tve.feed import teach
from export.tve.publish import INT8, STUDENT, TEACHER, served
from export.tve.tokens import TOKENIZER, load_tokenizer
from export.tve.train import Trained, go_on
from export.tve.warm import start_from
from tests.export.tve.conftest import CONFIG, TINY


def test_the_network_is_the_one_that_is_served(trained: Trained, out: Path, market: Path) -> None:
    samples = load(market, load_tokenizer(out / STUDENT / TOKENIZER)).take(np.arange(200))
    for version, dims in ((TEACHER, TINY), (STUDENT, TINY.half())):
        mine = teach(start_from(out / version, dims), samples).numpy()
        np.testing.assert_allclose(mine, served(out / version, samples), rtol=1e-4, atol=1e-4)


def test_going_on_learns_from_the_new_samples_alone(
    trained: Trained, out: Path, market: Path
) -> None:
    """Twice the label: what it says grows, and the same seed says the same."""
    tokenizer = load_tokenizer(out / STUDENT / TOKENIZER)
    samples, _ = split(load(market, tokenizer), 0.5, 1)
    doubled = replace(samples, label=2 * samples.label)
    before = teach(start_from(out / STUDENT, TINY.half()), samples)
    config = replace(CONFIG, max_steps=6)
    one, two = (
        teach(go_on(start_from(out / STUDENT, TINY.half()), doubled, config, 3), samples)
        for _ in range(2)
    )
    assert float(one[:, 0].mean()) > float(before[:, 0].mean())
    assert bool((one == two).all())


def test_other_sizes_and_other_graphs_are_refused(trained: Trained, out: Path) -> None:
    cases = [(STUDENT, TINY), (STUDENT, replace(TINY.half(), heads=2)), (INT8, TINY.half())]
    for version, dims in cases:
        with pytest.raises(ExportError) as refused:
            start_from(out / version, dims)
        assert refused.value.code == "start_mismatch"
    with pytest.raises(ExportError) as refused:
        start_from(out / "nothing")
    assert refused.value.code == "model_missing"
