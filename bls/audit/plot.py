# SPDX-License-Identifier: Apache-2.0
"""The audit as one picture: what a scaled bid gains, for a token and for a reply.

matplotlib (extra `report`) is imported when a plot is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bls.audit.bootstrap import Estimate
from bls.audit.report import IncentiveReport

_ARGMAX, _SAMPLE, _REPLY = "#1b6ca8", "#c1553b", "#3f7d58"
_GREY = "#8a8a8a"


def plot(report: IncentiveReport, file: Path) -> None:
    """Write an SVG or PNG, by the file's ending. Raises `ImportError` without matplotlib."""
    import matplotlib  # noqa: PLC0415

    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    style = {"svg.hashsalt": "skynet", "svg.fonttype": "none", "font.size": 9}
    with matplotlib.rc_context(style):
        figure, (token, reply, spread) = pyplot.subplots(1, 3, figsize=(11, 3.6))
        _token_panel(token, report)
        _reply_panel(reply, report)
        _hindsight_panel(spread, report)
        figure.tight_layout()
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
        pyplot.close(figure)


def _token_panel(axes: Any, report: IncentiveReport) -> None:
    factors = report.options.factors
    _band(axes, factors, report.argmax.by_factor, _ARGMAX, "argmax, Clarke")
    _band(axes, factors, report.sampling.by_factor, _SAMPLE, "sampling, stable-sampling payment")
    axes.legend(frameon=False, fontsize=8)
    _frame(axes, "One token", "bid / true value", "expected gain over the truth, %")


def _reply_panel(axes: Any, report: IncentiveReport) -> None:
    factors = report.options.factors
    _band(axes, factors, report.replies.by_factor, _REPLY, "mean, 95 % interval")
    axes.legend(frameon=False, fontsize=8)
    _frame(axes, "A whole reply, argmax", "bid / true value, all tokens", "gain over the truth, %")


def _hindsight_panel(axes: Any, report: IncentiveReport) -> None:
    """Share of (reply, advertiser) pairs whose best factor would have gained at most x."""
    gains = np.sort(report.replies.hindsight) * 100
    share = np.arange(1, len(gains) + 1) / len(gains) * 100
    axes.step(np.r_[0.0, gains], np.r_[0.0, share], where="post", color=_REPLY)
    axes.set_ylim(0, 102)
    _frame(axes, "Regret in hindsight, argmax", "gain of the best factor, %", "replies, %")


def _band(
    axes: Any, factors: tuple[float, ...], estimates: list[Estimate], colour: str, label: str
) -> None:
    low, value, high = (
        [getattr(estimate, name) * 100 for estimate in estimates]
        for name in ("low", "value", "high")
    )
    axes.fill_between(factors, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(factors, value, color=colour, marker="o", markersize=3, linewidth=1.4, label=label)


def _frame(axes: Any, title: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.axhline(0, color=_GREY, linewidth=0.7)
    axes.grid(True, color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
