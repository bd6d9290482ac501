# SPDX-License-Identifier: Apache-2.0
"""The experiment on paper: a Markdown table between two marks of a page, and a plot beside it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t as student

from bls.errors import invalid
from bls.phantom.bridge import LEARN_BELOW, Dials
from bls.settings import REPOSITORY
from export.agent_score.scores import auc
from pipelines_dagster.defs.market.traits import F64
from pipelines_dagster.phantom.bridge.experiment import Figure, Plan, of_scores, select
from pipelines_dagster.phantom.bridge.play import ARMS
from pipelines_dagster.phantom.bridge.scores import Scores

BEGIN, END = "<!-- bridge: figures -->", "<!-- bridge: end -->"
_HEAD = (
    "alpha",
    "arm",
    "ROI, value / paid",
    "ROI against off, %",
    "value",
    "paid",
    "refunded",
    "TVE error",
    "forecast error",
)
_OFF = ARMS[0].name
_DRAWS = 40_000
_COLOURS = ("#8a8a8a", "#3b6ea5", "#c9922e", "#d9743c", "#7a5aa6", "#3f7d58", "#1d4d33")
"""Of the arms, in their order."""
_SHOWN = (
    ("roi", "value to people / paid"),
    ("tve", "RMSE of the value model, on people"),
    ("forecast", "RMSE of the predictor, on people"),
)


def interval(values: F64) -> tuple[float, float]:
    """Mean and half width of its 95 % interval over seeds (Student); no width of one seed."""
    if len(values) < 2:
        return float(values.mean()), float("nan")
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(half)


def as_table(figures: Sequence[Figure], plan: Plan) -> str:
    """Markdown, a row an arm and share of agents."""
    rows = [_HEAD, ("---:", "---", *["---:"] * (len(_HEAD) - 2))]
    for alpha in plan.alphas:
        rows += [_row(figures, alpha, arm.name) for arm in ARMS]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _row(figures: Sequence[Figure], alpha: float, arm: str) -> tuple[str, ...]:
    off, roi = (select(figures, alpha, name, "roi") for name in (_OFF, arm))
    change = 100 * (roi / np.maximum(off, 1e-9) - 1)
    columns = [_shown(roi, 3), "-" if arm == _OFF else _shown(change, 1, sign=True)]
    columns += [_shown(select(figures, alpha, arm, n), 0) for n in ("value", "paid", "refunded")]
    columns += [_shown(select(figures, alpha, arm, n), 3) for n in ("tve", "forecast")]
    return f"{alpha:g}", arm, *columns


def _shown(values: F64, places: int, sign: bool = False) -> str:
    mean, half = interval(values)
    return f"{mean:{'+' if sign else ''},.{places}f} +- {half:,.{places}f}"


def page(figures: Sequence[Figure], plan: Plan, argv: Sequence[str], commit: str) -> str:
    """The whole block: how it was made, of which commit, and a table for each kind of scores."""
    dials = plan.dials
    first = of_scores(figures, plan.scores[0])
    shipped = _shown(select(first, plan.alphas[0], _OFF, "shipped"), 3)
    said = (
        f"`{' '.join(argv)}` at `{commit}`; {plan.seeds} paired seeds, {plan.conversations} "
        f"conversations a seed, regime `{plan.regime}`; agents click with probability "
        f"{plan.eager:g}. Dials: agent_free {dials.free:g}, agent_strength {dials.strength:g}, "
        f"invalid_at {dials.invalid_at:g}; training leaves out f >= {LEARN_BELOW:g}. +- is half a "
        "95 % interval over seeds; changes are paired. The value model as shipped, not trained "
        f"further, has an error of {shipped}."
    )
    parts = [
        f"**f: {scores.name}.** {told(scores, dials)}\n\n"
        f"{as_table(of_scores(figures, scores), plan)}\n"
        for scores in plan.scores
    ]
    return "\n".join([f"{said}\n", *parts])


def told(scores: Scores, dials: Dials) -> str:
    """Where f comes from, and how it lies, by many draws: AUC, and shares above thresholds."""
    rng = np.random.default_rng(0)
    agent = np.arange(_DRAWS) % 2 == 0
    score = scores.draw(agent, rng).now
    shares = [
        f"f >= {limit:g} for {100 * (score[agent] >= limit).mean():.1f} % of agents' and "
        f"{100 * (score[~agent] >= limit).mean():.1f} % of people's"
        for limit in (LEARN_BELOW, dials.invalid_at)
    ]
    discounts = np.array([dials.discount(float(f)) for f in score])
    kept = discounts[agent].mean(), discounts[~agent].mean()
    return (
        f"Of {scores.origin}. AUC {auc(agent, score):.3f}; {'; '.join(shares)}; mean discount "
        f"{kept[0]:.2f} and {kept[1]:.2f}."
    )


def write(path: Path, block: str, mark: str = "") -> None:
    """Put the block between its marks. Raises `bad_page` for a page without them.

    Args:
        mark: tells several blocks of a page apart.
    """
    begin, end = (each.replace(":", f"{mark}:", 1) for each in (BEGIN, END))
    text = path.read_text() if path.exists() else f"{begin}\n{end}\n"
    if begin not in text or end not in text:
        raise invalid("bad_page", "The page has no place for these figures.")
    before, after = text.split(begin)[0], text.split(end, 1)[1]
    path.write_text(f"{before}{begin}\n{block}{end}{after}")


def plot(figures: Sequence[Figure], plan: Plan, file: Path) -> None:
    """ROI and error of both models against alpha, an arm a line, a row a kind of scores."""
    import matplotlib  # noqa: PLC0415

    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    rows = len(plan.scores)
    figure, every = pyplot.subplots(rows, len(_SHOWN), figsize=(12, 3.2 * rows), squeeze=False)
    for row, scores in zip(every, plan.scores, strict=True):
        own = of_scores(figures, scores)
        for axes, (name, label) in zip(row, _SHOWN, strict=True):
            _lines(axes, own, plan.alphas, name)
            axes.set_title(f"f: {scores.name}", fontsize=8)
            axes.set_ylabel(label, fontsize=8)
    every[0][0].legend(fontsize=7, title="bridge", title_fontsize=7)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


def _lines(axes: Any, figures: Sequence[Figure], alphas: Sequence[float], name: str) -> None:
    for arm, colour in zip(ARMS, _COLOURS, strict=True):
        mean, half = np.array([interval(select(figures, a, arm.name, name)) for a in alphas]).T
        style = {"color": colour, "label": arm.name, "linewidth": 1.5}
        axes.errorbar(alphas, mean, np.nan_to_num(half), capsize=2, **style)
    axes.set_xlabel("alpha, share of agents", fontsize=8)
    axes.tick_params(labelsize=8)


_CHANGED = ("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs")


def sha() -> str:
    """Of the code that runs; `+` when it was changed since (pages aside), empty elsewhere."""
    asked = (("rev-parse", "--short=12", "HEAD"), _CHANGED)
    told = [
        subprocess.run(
            ("git", *words), cwd=REPOSITORY, capture_output=True, text=True, check=False
        ).stdout.strip()
        for words in asked
    ]
    return told[0] + ("+" if told[0] and told[1] else "")
