# SPDX-License-Identifier: Apache-2.0
"""The calibration plot of a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def calibration_plot(figures: dict[str, Any], version: str, path: Path) -> None:
    """Reliability of V(k) by decile (95 % intervals), and coverage of the forecast's quantiles.

    Args:
        figures: what `report` gave, by dataset.
        path: an SVG; the same figures give the same bytes.
    """
    import matplotlib as mpl  # noqa: PLC0415  (an extra)

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "tve"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    for name, found in figures.items():
        told = found["calibration"][version]
        reach = [1.96 * error for error in told["error"]]
        left.errorbar(told["predicted"], told["label"], reach, marker="o", ms=3, lw=1, label=name)
        right.plot(told["level"], told["coverage"], marker="o", ms=3, lw=1, label=name)
    for axes, (x, y) in (
        (left, ("predicted V(k)", "mean label log(1 + clicks)")),
        (right, ("forecast quantile", "share of labels below")),
    ):
        top = max(axes.get_xlim()[1], axes.get_ylim()[1])
        axes.plot([0, top], [0, top], color="grey", lw=0.8, ls="--")
        axes.set(xlabel=x, ylabel=y)
    left.legend(frameon=False)
    figure.suptitle(f"tve, {version}, on held-out markets")
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)
