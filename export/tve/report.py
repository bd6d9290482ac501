# SPDX-License-Identifier: Apache-2.0
"""Figures of trained versions on held-out markets, beside what the truth itself would score."""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.tve.data import Samples, load
from export.tve.publish import VERSIONS, served
from export.tve.score import Score, crps_log_normal, r2, score, true_curves, value_at, values
from export.tve.tokens import TOKENIZER, load_tokenizer

F32 = NDArray[np.float32]


def report(out: Path, datasets: dict[str, Path], rows: int = 8192) -> dict[str, Any]:
    """name of a held-out dataset -> its figures.

    Args:
        out: what `train` wrote.
        datasets: worlds of other seeds, which training never read.
        rows: a random part of each dataset, so that a report takes minutes.
    """
    tokenizer = load_tokenizer(out / VERSIONS[0] / TOKENIZER)
    return {name: held_out(out, folder, tokenizer, rows) for name, folder in datasets.items()}


def held_out(out: Path, dataset: Path, tokenizer: Any, rows: int) -> dict[str, Any]:
    """Scores of every version, of the truth and of the mean curve; the spread between versions."""
    samples = load(dataset, tokenizer)
    samples = samples.take(np.random.default_rng(0).permutation(len(samples))[:rows])
    found = {version: served(out / version, samples) for version in VERSIONS}
    truth = true_curves(dataset, samples)
    figures: dict[str, Any] = {v: asdict(score(curve, samples)) for v, curve in found.items()}
    return {
        **figures,
        "truth": asdict(_truth(truth, samples)),
        "mean_of_k": {"r2": r2(_mean_of_k(samples), samples.label)},
        "parameters": {version: _against(curve, truth) for version, curve in found.items()},
        "distance": {
            f"{one} to {other}": distance(found[one], found[other])
            for one, other in pairwise(VERSIONS)
        },
        "calibration": {version: calibration(found[version], samples) for version in VERSIONS},
    }


def distance(one: F32, other: F32) -> float:
    """Mean |difference| of V(1) .. V(48), as a share of the mean V."""
    return float(np.abs(values(one) - values(other)).mean() / values(one).mean())


def calibration(curve: F32, samples: Samples, bins: int = 10) -> dict[str, list[float]]:
    """Deciles of the predicted V(k): mean prediction, mean label, standard error of the latter.

    `coverage` is the share of labels under the forecast's 10 %, 20 % .. 90 % quantiles.
    """
    predicted = value_at(curve, samples.k)
    parts = np.array_split(np.argsort(predicted, kind="stable"), bins)
    sd = curve[:, 3] * np.sqrt(predicted / curve[:, 0])
    variance = np.log1p((sd / predicted) ** 2)
    normal = np.array([_NORMAL[q] for q in _LEVELS])
    limit = np.exp(np.log(predicted) - variance / 2)[:, None] * np.exp(
        np.sqrt(variance)[:, None] * normal
    )
    return {
        "predicted": [float(predicted[part].mean()) for part in parts],
        "label": [float(samples.label[part].mean()) for part in parts],
        "error": [float(samples.label[part].std() / len(part) ** 0.5) for part in parts],
        "level": list(_LEVELS),
        "coverage": [float(v) for v in (samples.label[:, None] <= limit).mean(0)],
    }


_NORMAL = {0.1: -1.2815516, 0.25: -0.6744898, 0.5: 0.0, 0.75: 0.6744898, 0.9: 1.2815516}
_LEVELS = tuple(_NORMAL)


def _truth(truth: F32, samples: Samples) -> Score:
    """The simulator's own curve, with the noise it leaves as the spread that fits best."""
    mean = value_at(truth, samples.k)
    left = samples.label - mean
    spread = np.sqrt(np.mean(left**2) / np.mean(mean / truth[:, 0]))
    sd = spread * np.sqrt(mean / truth[:, 0])
    scale = samples.label.std()
    return Score(
        r2=r2(mean, samples.label),
        rmse=float(np.sqrt(np.mean(left**2)) / scale),
        crps=float(crps_log_normal(mean, sd, samples.label.astype(np.float64)).mean() / scale),
        rows=len(samples),
    )


def _mean_of_k(samples: Samples) -> NDArray[np.float64]:
    """The baseline that knows only how much was delivered."""
    total = np.bincount(samples.k, samples.label, 49) / np.bincount(samples.k, minlength=49).clip(1)
    found: NDArray[np.float64] = total[samples.k]
    return found


def _against(curve: F32, truth: F32) -> dict[str, float]:
    """R2 of each parameter against the truth's."""
    names = ("v_max", "a", "k_0")
    return {n: r2(curve[:, i].astype(np.float64), truth[:, i]) for i, n in enumerate(names)}
