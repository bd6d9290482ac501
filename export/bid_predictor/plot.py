# SPDX-License-Identifier: Apache-2.0
"""One figure: the PIT's distance from uniform, and how often central intervals hold the label."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from export.bid_predictor.baselines import Model
from export.bid_predictor.evaluation import coverage
from export.bid_predictor.scores import ks_uniform, pit
from export.bid_predictor.windows import Windows

LEVELS = np.linspace(0.05, 0.95, 19)


def draw(models: Mapping[str, Model], windows: Windows, path: Path) -> None:
    """Write an SVG; the same figures give the same bytes."""
    matplotlib.rcParams.update({"svg.hashsalt": "bid_predictor", "svg.fonttype": "none"})
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    grid = np.linspace(0, 1, 101)
    for name, model in models.items():
        values = np.sort(pit(model(windows), windows.label))
        below = np.searchsorted(values, grid, side="right") / len(values)
        left.plot(grid, below - grid, label=f"{name}, KS {ks_uniform(values):.3f}")
        right.plot(LEVELS, coverage(model, windows, LEVELS), marker=".", label=name)
    left.axhline(0, color="0.6", lw=0.8)
    left.set(xlabel="u", ylabel="share of PIT <= u, less u", title="PIT against uniform")
    left.legend(fontsize=7)
    right.plot([0, 1], [0, 1], color="0.6", lw=0.8)
    right.set(xlabel="nominal level", ylabel="share inside", title="Central intervals")
    figure.savefig(path, format="svg", metadata={"Date": None})
