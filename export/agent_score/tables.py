# SPDX-License-Identifier: Apache-2.0
"""The figures of an evaluation as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from export.agent_score import scores
from export.agent_score.evaluation import OURS, Evaluation, GapTest, first_sure
from export.agent_score.sessions import LENGTHS

_MOST = 144
"""Prefixes longer than this are whole sessions for nearly all."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def data_set(result: Evaluation) -> str:
    """Who acted, and how long the sessions are."""
    data, rows = result.data, []
    lengths = data.length[data.whole()]
    for agent in (True, False):
        for driver in np.unique(data.driver[data.agent == agent]):
            own = lengths[(data.driver == driver) & (data.agent == agent)]
            low, middle, high = np.percentile(own, [5, 50, 95])
            imitates = "agent" if agent else "person"
            span = f"{low:.0f} .. {high:.0f}"
            rows.append([str(driver), imitates, str(len(own)), f"{middle:.0f}", span])
    return table(["driver", "imitates", "sessions", "events, median", "5 % .. 95 %"], rows)


def separation(result: Evaluation) -> str:
    """Every method: AUC of whole sessions, of held-out drivers, and its calibration."""
    prior, rows = result.config.prior, []
    for name, found in result.session.items():
        whole = result.whole(found)
        each = [one.value for one in result.driver[name].values()]
        rows.append(
            [
                name,
                str(scores.auc_interval(*whole)),
                f"{np.mean(each):.3f}",
                f"{min(each):.3f}",
                f"{scores.ece(*whole, prior):.3f}",
                f"{scores.brier(*whole, prior):.3f}",
            ]
        )
    head = ["method", "AUC, sessions held out", "AUC, drivers held out, mean", "least"]
    return table([*head, "ECE", "Brier"], rows)


def drivers(result: Evaluation) -> str:
    """Leave-one-driver-out: a row a driver, agents first."""
    names = list(result.driver)
    rows = []
    for driver, ours in result.driver[OURS].items():
        others = [f"{result.driver[name][driver].value:.3f}" for name in names[1:]]
        rows.append([driver, str(ours), *others])
    return table(["driver held out", *names], rows)


def early(result: Evaluation) -> str:
    """How soon: after so many events, of all sessions (shorter ones with all they have)."""
    prior, found, rows = result.config.prior, result.session[OURS], []
    for events in (one for one in LENGTHS if one <= _MOST):
        seen = result.after(found, events)
        half, sure = scores.detected(*seen, prior, 0.5), result.promised(found, events)
        auc = str(scores.auc_interval(*seen, draws=300))
        reached = "-" if np.isnan(sure.precision.value) else str(sure.precision)
        figures = [half.precision, half.recall, sure.threshold]
        shown = [f"{value:.2f}" if np.isfinite(value) else "-" for value in figures]
        rows.append([str(events), auc, *shown, reached, f"{sure.recall:.2f}"])
    head = ["events", "AUC", "precision at 0.5", "recall at 0.5", "threshold of the other folds"]
    return table([*head, "precision reached", "recall there"], rows)


def sure_after(result: Evaluation) -> str:
    """Events until a threshold for 95 % precision, chosen on the other folds, has some recall."""
    recalls = (0.1, 0.25, 0.5, 0.75)
    rows = []
    for name, found in result.session.items():
        shown = (first_sure(result, found, recall) for recall in recalls)
        rows.append([name, *("never" if one is None else _told(*one) for one in shown)])
    return table(["method", *(f"{recall:.0%} of the agents" for recall in recalls)], rows)


def _told(events: int, precision: float) -> str:
    return f"{events} ({precision:.2f})"


def calibration(result: Evaluation) -> str:
    """Reliability of whole sessions, at the prior."""
    found = result.whole(result.session[OURS])
    rows = [
        [f"{mean:.3f}", f"{seen:.3f}", f"{part:.1%}", str(count)]
        for mean, seen, part, count in scores.reliability(*found, result.config.prior)
    ]
    return table(["mean score", "share of agents", "weight", "sessions"], rows)


def unseen(result: Evaluation) -> str:
    """What f says of whole sessions of each driver, known and never seen."""
    rows, data = [], result.data
    whole = data.whole()
    for driver in result.driver[OURS]:
        own = data.driver == driver
        known, strange = result.session[OURS][whole][own], result.strange[whole][own]
        shown = [
            text
            for score in (known, strange)
            for text in (f"{score.mean():.2f}", f"{(score >= 0.5).mean():.0%}")
        ]
        rows.append([driver, *shown])
    return table(["driver", "known: mean f", "f >= 0.5", "never seen: mean f", "f >= 0.5"], rows)


def blocks(result: Evaluation) -> str:
    """What is lost without parts of the inputs."""
    whole = scores.auc_interval(*result.whole(result.session[OURS]))
    each = [one.value for one in result.driver[OURS].values()]
    rows = [["everything", str(whole), f"{np.mean(each):.3f}", f"{min(each):.3f}"]]
    rows += [
        [name, str(auc), f"{mean:.3f}", f"{least:.3f}"]
        for name, (auc, mean, least) in result.blocks.items()
    ]
    head = ["read", "AUC, sessions held out", "AUC, drivers held out, mean", "least"]
    return table(head, rows)


def gap(tests: Sequence[GapTest]) -> str:
    """The published test."""
    rows = [
        [
            one.name,
            "in its centroid" if one.own else "left out",
            f"{one.human[0]:+.3f} +- {one.human[1]:.3f}",
            f"{one.agent[0]:+.3f} +- {one.agent[1]:.3f}",
            f"{one.p:.1e}",
            str(one.auc),
        ]
        for one in tests
    ]
    head = ["divergence", "scored session", "gap, person-like", "gap, agents"]
    return table([*head, "Mann-Whitney p", "AUC"], rows)


def small(found: dict[bool, tuple[float, float, float]]) -> str:
    """The same at its published size."""
    rows = [
        ["in its centroid" if own else "left out", f"{auc:.3f}", f"{apart:+.3f}", f"{sure:.0%}"]
        for own, (auc, apart, sure) in found.items()
    ]
    return table(["scored session", "mean AUC", "mean gap apart", "draws with p < 0.001"], rows)
