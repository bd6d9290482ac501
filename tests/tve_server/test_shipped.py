# SPDX-License-Identifier: Apache-2.0
"""The version in the repository: small, whole, in time, and a row's curve is its own."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from bls.brain.curve import check_curve
from bls.brain.tve.estimator import Estimate, Estimator
from bls.contracts import AD_TOKENS, CTX
from bls.models.pointer import FolderPointer
from bls.settings import Settings
from export.model_manifest import ModelManifest

FOLDER = Settings().tve_folder()
ADS = (
    "Recommend Alpine Rail night trains, with tickets from $29.",
    "FJORDNEST WALKING TOUR. Free returns. Book now!!",
    "coffee",
    "long " * 100,
)


@pytest.fixture(scope="module")
def estimator() -> Estimator:
    found = Estimator(FolderPointer(FOLDER))
    found.models.champion.poll()
    return found


def contexts(rows: int) -> NDArray[np.float32]:
    vectors = np.random.default_rng(3).normal(size=(rows, CTX))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def of(estimator: Estimator, ctx: NDArray[np.float32], ads: tuple[str, ...]) -> Estimate:
    answer = estimator.answer(ctx, ads)
    assert isinstance(answer, Estimate)
    return answer


def test_what_ships_is_small_and_says_what_it_is() -> None:
    manifest = ModelManifest.load(FOLDER)
    assert sorted(manifest.files) == ["MODEL_CARD.md", "model.onnx", "tokenizer.json"]
    assert sum((FOLDER / name).stat().st_size for name in manifest.files) < 6_000_000
    assert {"r2", "crps", "rmse"} <= manifest.metrics.keys()


def test_a_curve_does_not_depend_on_its_neighbours(estimator: Estimator) -> None:
    ctx = contexts(len(ADS))
    together = of(estimator, ctx, ADS)
    check_curve(*together.curve.T)
    assert together.tokens[3, 0] == AD_TOKENS
    for row, ad in enumerate(ADS):
        alone = of(estimator, ctx[row : row + 1], (ad,))
        for one, every in zip(alone, together, strict=True):
            assert np.array_equal(one[0], every[row])


def test_words_and_contexts_matter(estimator: Estimator) -> None:
    ctx = contexts(2)
    same = of(estimator, np.repeat(ctx[:1], 2, 0), (ADS[0], ADS[1])).curve
    assert not np.array_equal(same[0], same[1])
    other = of(estimator, ctx, (ADS[0], ADS[0])).curve
    assert not np.array_equal(other[0], other[1])


@pytest.mark.spec("TVE-U-07")
def test_a_prediction_takes_under_60_ms_on_a_cpu(estimator: Estimator) -> None:
    """1,000 single-thread calls; the budget is many times what a quiet core needs."""
    ctx, took = contexts(1), []
    for _ in range(1_000):
        began = time.perf_counter()
        of(estimator, ctx, ADS[:1])
        took.append(time.perf_counter() - began)
    p50, p95, p99 = np.percentile(np.array(took) * 1e3, [50, 95, 99])
    print(f"tve, 1 row, 1 thread: p50 {p50:.2f} p95 {p95:.2f} p99 {p99:.2f} ms")
    assert p95 <= 60
