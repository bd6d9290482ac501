# SPDX-License-Identifier: Apache-2.0
"""The experiment on paper: a table, JSON, and one plot (matplotlib, extra `report`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from client.table import table
from pipelines_dagster.defs.market.ab.experiment import Comparison

_HEAD = ("comparison", "regime", "base", "guided", "lift %", "95 % interval", "verdict")
_COLOURS = {"better": "#3f7d58", "worse": "#c1553b", "no difference shown": "#8a8a8a"}


def as_table(comparisons: Sequence[Comparison]) -> str:
    """A line per comparison."""
    return table(_HEAD, [_row(each) for each in comparisons])


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Everything, seeds included."""
    return {
        "name": comparison.name,
        "regime": comparison.regime,
        "lift": vars(comparison.lift),
        "verdict": comparison.verdict,
        "base": comparison.base.tolist(),
        "guided": comparison.guided.tolist(),
        "notes": comparison.notes,
    }


def plot(comparisons: Sequence[Comparison], file: Path) -> None:
    """Lifts with their intervals. Raises `ImportError` without matplotlib."""
    import matplotlib  # noqa: PLC0415

    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    figure, axes = pyplot.subplots(figsize=(8, 1 + 0.32 * len(comparisons)))
    for place, each in enumerate(reversed(comparisons)):
        lift, colour = each.lift, _COLOURS[each.verdict]
        axes.plot([100 * lift.low, 100 * lift.high], [place, place], color=colour, linewidth=2)
        axes.plot(100 * lift.value, place, "o", color=colour, markersize=5)
    axes.axvline(0, color="#444444", linewidth=0.8)
    labels = [f"{each.name} ({each.regime})" for each in reversed(comparisons)]
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.set_xscale("symlog", linthresh=10)
    axes.set_xlabel("lift over the base arm, %, 95 % interval over paired seeds", fontsize=8)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    pyplot.close(figure)


def _row(each: Comparison) -> tuple[str, ...]:
    lift = each.lift
    return (
        each.name,
        each.regime,
        f"{each.base.mean():.4g}",
        f"{each.guided.mean():.4g}",
        f"{100 * lift.value:+.1f}",
        f"{100 * lift.low:+.1f} to {100 * lift.high:+.1f}",
        each.verdict,
    )
