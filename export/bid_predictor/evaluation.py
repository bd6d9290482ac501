# SPDX-License-Identifier: Apache-2.0
"""Held-out worlds: every model on the same rows, per scenario, beside the simulator's own error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from export.bid_predictor import mixture
from export.bid_predictor.baselines import Model
from export.bid_predictor.scores import F64, Scores, pit, score
from export.bid_predictor.truth import Truth, load_truth
from export.bid_predictor.windows import Windows, load_windows

ALL = "all"


@dataclass(frozen=True)
class Held:
    """One held-out dataset; `name` is its folder's. Rows whose W_-i never varies are left out."""

    name: str
    windows: Windows
    truth: Truth

    @classmethod
    def load(cls, dataset: Path, most: int, seed: int = 0) -> Held:
        """All varying rows of a dataset, or `most` of them drawn once."""
        windows = load_windows(dataset)
        truth = load_truth(dataset, len(windows))
        rows = np.flatnonzero(truth.sd > 0)
        if len(rows) > most:
            rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
        return cls(dataset.name, windows.take(rows), truth.take(rows))

    def scenarios(self) -> Iterator[tuple[str, Held]]:
        """Each scenario's rows, then all of them."""
        for name in np.unique(self.truth.scenario):
            rows = np.flatnonzero(self.truth.scenario == name)
            yield str(name), Held(self.name, self.windows.take(rows), self.truth.take(rows))
        yield ALL, self


@dataclass(frozen=True)
class Line:
    """One model on one scenario: `off_mean` is its RMSE against the true mean of the label."""

    dataset: str
    scenario: str
    model: str
    scores: Scores
    irreducible: float
    off_mean: float

    @property
    def ratio(self) -> float:
        """RMSE over the irreducible one."""
        return self.scores.rmse / self.irreducible

    @property
    def met(self) -> bool:
        """RMSE at most 0.12, or within 5 % of the irreducible one."""
        return self.scores.rmse <= 0.12 or self.ratio <= 1.05


def evaluate(models: Mapping[str, Model], held: Held) -> list[Line]:
    """Every model on every scenario of a dataset."""
    lines = []
    for scenario, part in held.scenarios():
        for name, model in models.items():
            forecast = model(part.windows)
            centre = mixture.mean(forecast.double()).numpy()
            lines.append(
                Line(
                    dataset=held.name,
                    scenario=scenario,
                    model=name,
                    scores=score(forecast, part.windows.label),
                    irreducible=part.truth.irreducible(),
                    off_mean=part.truth.off_mean(centre),
                )
            )
    return lines


def coverage(model: Model, windows: Windows, levels: F64) -> F64:
    """Share of labels inside the central interval of each nominal level."""
    values = pit(model(windows), windows.label)
    inside: F64 = np.array([np.mean(np.abs(values - 0.5) <= level / 2) for level in levels])
    return inside
