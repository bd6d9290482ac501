# SPDX-License-Identifier: Apache-2.0
"""The figures of a report as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from export.bid_predictor.evaluation import Line
from export.bid_predictor.parity import Parity
from export.bid_predictor.robustness import Row


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def accuracy(lines: Sequence[Line]) -> str:
    """Every model's RMSE, NLL, CRPS and KS, scenario by scenario."""
    head = [
        "data",
        "scenario",
        "model",
        "RMSE",
        "irreducible",
        "ratio",
        "off-mean",
        "NLL",
        "CRPS",
        "KS",
        "goal",
    ]
    return table(head, (_accuracy(line) for line in lines))


def _accuracy(line: Line) -> list[str]:
    s = line.scores
    figures = (s.rmse, line.irreducible, line.ratio, line.off_mean, s.nll, s.crps, s.ks)
    shown = [f"{value:.3f}" for value in figures]
    return [line.dataset, line.scenario, line.model, *shown, "met" if line.met else "missed"]


def robust(rows: Sequence[Row]) -> str:
    """Both views of the five attacks."""
    head = ["attack", "view", "rows", "RMSE", "irreducible", "increase", "KS", "drift"]
    return table(head, (_robust(row) for row in rows))


def _robust(row: Row) -> list[str]:
    played = row.view == "market"
    return [
        row.scenario,
        row.view,
        f"{row.rows:,}",
        f"{row.rmse:.3f}",
        f"{row.irreducible:.3f}",
        "" if played else f"{row.increase:+.1%}",
        f"{row.ks:.3f}",
        "" if played else f"{row.ks_drift:.3f}",
    ]


def parity(figures: Parity) -> str:
    """Largest and mean differences between the network and its files."""
    return table(["figure", "value"], ([k, f"{v:.2g}"] for k, v in figures.as_dict().items()))
