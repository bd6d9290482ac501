# SPDX-License-Identifier: Apache-2.0
"""Six panels: revenue, objective, margin, COI, UX over the share of agents, and a price trace."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines_dagster.phantom.bench import stats
from pipelines_dagster.phantom.bench.columns import Columns, Name
from pipelines_dagster.phantom.bench.tables import label
from pipelines_dagster.phantom.policies.policy import ROBUST, TIERS

PANELS = (
    ("revenue", "revenue an episode"),
    ("objective", "objective an episode"),
    ("margin", "margin"),
    ("coi_realised", "realised COI, share of the lowest price"),
    ("ux", "UX penalty"),
)
_STYLES = dict(zip(ROBUST, ("-", "--", ":", "-."), strict=True))
_TRACED = 40
"""Steps of the trace that are shown: prices settle early."""


def draw(columns: Columns, path: Path) -> None:
    """Write an SVG; the same figures give the same bytes. Bands are 95 % intervals of the mean."""
    matplotlib.rcParams.update({"svg.hashsalt": "phantom_bench", "svg.fonttype": "none"})
    figure = Figure(figsize=(11, 6.4), layout="constrained")
    axes = figure.subplots(2, 3).ravel()
    for panel, (name, title) in zip(axes, PANELS, strict=False):
        _panel(panel, columns, name)
        panel.set_title(title, fontsize=9)
        panel.set_xlabel("alpha, share of agents", fontsize=8)
    _trace(axes[-1], columns)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=6, fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", metadata={"Date": None})


def _panel(panel: Axes, columns: Columns, figure: str) -> None:
    for name in columns.names:
        values = columns.figure(name, figure)
        found = [stats.mean(values[:, at]) for at in range(values.shape[1])]
        colour, style = _look(name)
        panel.plot(
            columns.alphas, [e.value for e in found], style, color=colour, lw=1.1, label=label(name)
        )
        panel.fill_between(
            columns.alphas,
            [e.low for e in found],
            [e.high for e in found],
            color=colour,
            alpha=0.08,
            lw=0,
        )
    panel.tick_params(labelsize=7)


def _trace(panel: Axes, columns: Columns) -> None:
    middle = float(columns.alphas[len(columns.alphas) // 2])
    for name in columns.names:
        trace = columns.trace(name, middle)[:_TRACED]
        colour, style = _look(name)
        panel.plot(np.arange(1, len(trace) + 1), trace, style, color=colour, lw=1.1)
    panel.set_title(f"multiplier of what sold, alpha {middle:g}", fontsize=9)
    panel.set_xlabel("step", fontsize=8)
    panel.tick_params(labelsize=7)


def _look(name: Name) -> tuple[str, str]:
    return f"C{TIERS.index(name[0])}", _STYLES[name[1]]
