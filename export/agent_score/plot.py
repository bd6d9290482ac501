# SPDX-License-Identifier: Apache-2.0
"""One SVG: calibration of whole sessions, and what is known after how many events."""

from __future__ import annotations

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from export.agent_score import scores
from export.agent_score.evaluation import OURS, Evaluation
from export.agent_score.sessions import LENGTHS


def draw(result: Evaluation, path: Path) -> None:
    """Write an SVG; the same figures give the same bytes."""
    matplotlib.rcParams.update({"svg.hashsalt": "agent_score", "svg.fonttype": "none"})
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    prior = result.config.prior
    for name, found in result.session.items():
        whole = result.whole(found)
        rows = scores.reliability(*whole, prior)
        label = f"{name}, ECE {scores.ece(*whole, prior):.3f}"
        left.plot([row[0] for row in rows], [row[1] for row in rows], marker=".", label=label)
        after = [result.after(found, events) for events in LENGTHS]
        right.plot(LENGTHS, [scores.auc(*seen) for seen in after], marker=".", label=name)
    left.plot([0, 1], [0, 1], color="0.6", lw=0.8)
    left.set(xlabel="mean score", ylabel="share of agents", title=f"Calibration at {prior:.0%}")
    left.legend(fontsize=6)
    sure = [result.promised(result.session[OURS], events).recall for events in LENGTHS]
    label = f"{OURS}: recall at the others' threshold for 95 % precision"
    right.plot(LENGTHS, sure, color="0.3", ls="--", label=label)
    right.set(xlabel="events", ylabel="AUC", title="After so many events", xscale="log")
    right.legend(fontsize=6)
    figure.savefig(path, format="svg", metadata={"Date": None})
