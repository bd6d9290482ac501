# SPDX-License-Identifier: Apache-2.0
"""The incentive report on paper: a terminal table, report.json, a plot."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from bls.audit.bootstrap import Estimate
from bls.audit.plot import plot
from bls.audit.report import IncentiveReport
from client.table import table

REPORT, PICTURE = "report.json", "incentives.svg"


def publish(report: IncentiveReport, out: Path, raw: bool) -> str:
    """Write the files; what to print."""
    out.mkdir(parents=True, exist_ok=True)
    document = json.dumps(report.as_json(), indent=1)
    (out / REPORT).write_text(document + "\n", encoding="utf-8")
    try:
        plot(report, out / PICTURE)
        drawn = str(out / PICTURE)
    except ImportError:
        drawn = "no plot: pip install matplotlib (extra `report`)"
    return document if raw else f"{text(report)}\n\n{out / REPORT}\n{drawn}"


def text(report: IncentiveReport) -> str:
    """The tables a person reads."""
    return "\n\n".join([_promises(report), _by_factor(report), _summary(report)])


def _promises(report: IncentiveReport) -> str:
    argmax = report.argmax
    rows = [
        (
            "bid misreported",
            str(argmax.bid.entries),
            str(argmax.bid.violations),
            f"{argmax.bid.most:.1e}",
        )
    ]
    rows += [
        (f"distribution: {name}", str(gains.entries), str(gains.violations), f"{gains.most:.1e}")
        for name, gains in argmax.distribution.items()
    ]
    pairs, excess = str(argmax.pairs), max(0.0, -argmax.least_utility)
    rows.append(("Clarke = Myerson integral", pairs, "-", f"{argmax.myerson_difference:.1e}"))
    rows.append(("pay above value", pairs, str(argmax.irrational), f"{excess:.1e}"))
    head = ("per token, argmax, must be 0", "checked", "violations", "largest")
    return table(head, rows)


def _by_factor(report: IncentiveReport) -> str:
    rows = [
        (f"{factor:g}", _percent(token), _percent(drawn), _percent(reply), f"{changed:.0%}")
        for factor, token, drawn, reply, changed in zip(
            report.options.factors,
            report.argmax.by_factor,
            report.sampling.by_factor,
            report.replies.by_factor,
            report.replies.changed,
            strict=True,
        )
    ]
    head = ("bid / value", "token, argmax", "token, sampling", "reply, argmax", "replies changed")
    return table(head, rows)


def _summary(report: IncentiveReport) -> str:
    sampling, replies = report.sampling, report.replies
    hindsight = np.array(replies.hindsight) * 100
    best = report.options.factors[replies.best]
    lines = [
        f"gains are relative to truthful utility, with 95 % intervals over {len(replies.games)} "
        f"replies ({report.tokens} tokens, {report.seconds:.0f} s)",
        f"reply: best constant factor {best:g}, gain {_percent(replies.by_factor[replies.best])}; "
        f"best factor in hindsight: median {np.median(hindsight):.0f} %, "
        f"90th percentile {np.percentile(hindsight, 90):.0f} %",
        f"sampling: best factor of a token {sampling.best_factor.value:.2f} on average, knowing it "
        f"gains {_percent(sampling.best_gain)}; expected utility >= 0 for {sampling.rational:.1%}",
        f"sampling: drawn payments / expected {_ratio(sampling.drawn_over_expected)}; "
        f"{sampling.above_value:.1%} of draws charge more than v P(t)",
    ]
    return "\n".join(lines)


def _percent(estimate: Estimate) -> str:
    value, low, high = (x * 100 for x in (estimate.value, estimate.low, estimate.high))
    return "0" if value == low == high == 0 else f"{value:+.1f} % [{low:+.1f}, {high:+.1f}]"


def _ratio(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
