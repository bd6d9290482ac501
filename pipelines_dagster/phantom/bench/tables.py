# SPDX-License-Identifier: Apache-2.0
"""The figures of a benchmark as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pipelines_dagster.phantom.bench import stats
from pipelines_dagster.phantom.bench.columns import Columns, Name
from pipelines_dagster.phantom.bench.published import MEANS, SLOPE
from pipelines_dagster.phantom.bench.stats import Estimate
from pipelines_dagster.phantom.policies.policy import FIXED

SMALL, LARGE = 0.2, 0.6
"""A robust policy should lose at most `CLOSE` up to the first share and win from the second on."""
CLOSE = 0.01
LEAST, TOO_FEW = 5, "too few seeds"
"""Seeds that a verdict takes."""


def tiers(columns: Columns) -> str:
    """Revenue over all shares, baseline against robust, with the published change beside it."""
    head = ["policy", "revenue", "against plain", "published", "objective, against plain"]
    head += ["margin", "realised COI", "UX", "supra", "training s"]
    return table(head, (_tier(columns, name) for name in columns.names))


def slopes(columns: Columns) -> str:
    """Least-squares lines of revenue over the share of agents, on the larger market if there is
    one."""
    head = ["policy", "revenue at alpha 0", "change to alpha 1", "share"]
    there = SLOPE[1] / SLOPE[0]
    rows = [["published", f"{SLOPE[0]:,.0f}", f"{SLOPE[1]:+,.0f}", f"{there:+.1%}"]]
    for name in columns.names:
        start, slope = stats.line(columns.alphas, columns.figure(name, "revenue", _wide(columns)))
        shown = [_whole(start), _whole(slope, sign=True), f"{slope.value / start.value:+.1%}"]
        rows.append([label(name), *shown])
    return table(head, rows)


def against(columns: Columns, figure: str = "objective") -> str:
    """Change of a figure against the plain policy of the same tier and seeds, at every share."""
    head = ["policy", *(f"alpha {alpha:g}" for alpha in columns.alphas), "verdict"]
    rows = []
    for name in columns.names:
        if name[1] != "none" and (name[0], "none") in columns.names:
            changes = _changes(columns, name, figure)
            rows.append([label(name), *map(_share, changes), _verdict(columns.alphas, changes)])
    return table(head, rows)


def by_share(columns: Columns, figure: str) -> str:
    """One figure, policy by policy, share by share."""
    head = ["policy", *(f"alpha {alpha:g}" for alpha in columns.alphas)]
    return table(head, (_line(columns, name, figure) for name in columns.names))


def label(name: Name) -> str:
    return name[0] if name[1] == "none" else f"{name[0]}, {name[1]}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def figures(columns: Columns) -> dict[str, Any]:
    """Every table's estimates as JSON values."""
    found: dict[str, Any] = {}
    for name in columns.names:
        lines = stats.line(columns.alphas, columns.figure(name, "revenue", _wide(columns)))
        told: dict[str, Any] = {"slope": [each.as_json() for each in lines]}
        for figure in ("revenue", "objective", "margin", "coi_realised", "coi", "ux", "supra"):
            values = columns.figure(name, figure)
            shares = range(len(columns.alphas))
            told[figure] = [stats.mean(values[:, at]).as_json() for at in shares]
        if name[1] != "none" and (name[0], "none") in columns.names:
            changes = _changes(columns, name, "objective")
            told["objective_against_plain"] = [each.as_json() for each in changes]
        found[label(name)] = told
    return found


def _tier(columns: Columns, name: Name) -> list[str]:
    revenue = columns.figure(name, "revenue").mean(axis=1)
    shown = [label(name), _whole(stats.mean(revenue))]
    plain = (name[0], "none")
    if name[1] == "none" or plain not in columns.names:
        shown += ["", "", ""]
    else:
        base = columns.figure(plain, "revenue").mean(axis=1)
        objective = columns.figure(name, "objective").mean(axis=1)
        worth = columns.figure(plain, "objective").mean(axis=1)
        shown += [_share(stats.change(revenue, base)), _published(name)]
        shown.append(_share(stats.change(objective, worth)))
    rest = (columns.figure(name, each).mean() for each in ("margin", "coi_realised", "ux", "supra"))
    margin, coi, ux, supra = rest
    trained = "" if name[0] in FIXED else f"{columns.train_s(name):.0f}"
    return [*shown, f"{margin:.1%}", f"{coi:.1%}", f"{ux:.3f}", f"{supra:.2f}", trained]


def _line(columns: Columns, name: Name, figure: str) -> list[str]:
    values = columns.figure(name, figure)
    return [label(name), *(_figure(stats.mean(values[:, at])) for at in range(values.shape[1]))]


def _changes(columns: Columns, name: Name, figure: str) -> list[Estimate]:
    mine, base = columns.figure(name, figure), columns.figure((name[0], "none"), figure)
    return [stats.change(mine[:, at], base[:, at]) for at in range(len(columns.alphas))]


def _verdict(alphas: np.ndarray[Any, np.dtype[np.float64]], changes: Sequence[Estimate]) -> str:
    """Both halves of the promise, by the intervals; none of fewer than `LEAST` seeds."""
    if any(each.seeds < LEAST for each in changes):
        return TOO_FEW
    pairs = list(zip(alphas, changes, strict=True))
    close = all(each.low >= -CLOSE for alpha, each in pairs if alpha <= SMALL)
    better = [each for alpha, each in pairs if alpha >= LARGE]
    kept = "kept" if close else "lost"
    if better and all(each.low > 0 for each in better):
        return f"{kept}, better"
    worse = better and all(each.high < 0 for each in better)
    return f"{kept}, {'worse' if worse else 'not shown better'}"


def _published(name: Name) -> str:
    if name[0] not in MEANS or name[1] == "conditional":
        return ""
    base, robust = MEANS[name[0]]
    return f"{robust / base - 1:+.1%}"


def _wide(columns: Columns) -> bool:
    return columns.has_wide


def _share(found: Estimate) -> str:
    if found.seeds < 2:
        return f"{found.value:+.2%}"
    return f"{found.value:+.2%} ({found.low:+.2%} .. {found.high:+.2%})"


def _whole(found: Estimate, sign: bool = False) -> str:
    mark = "+" if sign else ""
    return f"{found.value:{mark},.0f}{_half(found, 0)}"


def _figure(found: Estimate) -> str:
    places = 0 if abs(found.value) >= 1000 else 3
    return f"{found.value:,.{places}f}{_half(found, places)}"


def _half(found: Estimate, places: int) -> str:
    return f" ± {found.half:,.{places}f}" if found.seeds > 1 else ""
