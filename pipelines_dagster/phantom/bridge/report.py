# SPDX-License-Identifier: Apache-2.0
"""The experiment on paper: a Markdown table between two marks of a page, and a plot beside it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import t as student

from bls.errors import invalid
from bls.settings import REPOSITORY
from pipelines_dagster.defs.market.traits import F64
from pipelines_dagster.phantom.bridge.experiment import Figure, Plan, select
from pipelines_dagster.phantom.bridge.play import ARMS

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
_COLOURS = ("#8a8a8a", "#3b6ea5", "#c9922e", "#d9743c", "#7a5aa6", "#3f7d58", "#1d4d33")
"""Of the arms, in their order."""


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
    """The whole block: how it was made, of which commit, and the table."""
    roc, dials = plan.roc, plan.dials
    said = (
        f"`{' '.join(argv)}` at `{commit}`; {plan.seeds} paired seeds, {plan.conversations} "
        f"conversations a seed, regime `{plan.regime}`; agents click with probability "
        f"{plan.eager:g}. f: {roc.origin}, AUC {roc.auc:.3f}, prior {roc.prior:g}. Dials: "
        f"agent_free {dials.free:g}, agent_strength {dials.strength:g}, invalid_at "
        f"{dials.invalid_at:g}; training leaves out f >= {plan.learn_below:g}. +- is half a 95 % "
        "interval over seeds; changes are paired."
    )
    return f"{said}\n\n{as_table(figures, plan)}\n"


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
    """ROI and error of the value model against alpha, an arm a line."""
    import matplotlib  # noqa: PLC0415

    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    figure, both = pyplot.subplots(1, 2, figsize=(9, 3.4))
    shown = (("roi", "value to people / paid"), ("tve", "RMSE of the value model, on people"))
    for axes, (name, label) in zip(both, shown, strict=True):
        for arm, colour in zip(ARMS, _COLOURS, strict=True):
            told = [interval(select(figures, alpha, arm.name, name)) for alpha in plan.alphas]
            mean, half = np.array(told).T
            style = {"color": colour, "label": arm.name, "linewidth": 1.5}
            axes.errorbar(plan.alphas, mean, np.nan_to_num(half), capsize=2, **style)
        axes.set_xlabel("alpha, share of agents", fontsize=8)
        axes.set_ylabel(label, fontsize=8)
        axes.tick_params(labelsize=8)
    both[0].legend(fontsize=8, title="bridge", title_fontsize=8)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)


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
