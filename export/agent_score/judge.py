# SPDX-License-Identifier: Apache-2.0
"""`python -m export.agent_score.judge`: what a trained version says of sessions it never saw.

    python -m export.agent_score.judge --sessions tests/phantom/recorded.jsonl.gz --unseen llm \\
        --chosen-on hotel.jsonl.gz airline.jsonl.gz

Whole sessions, scored as they are served. Agents of a kind that the version was not trained on are
named with `--unseen`: they have a row of their own and are left out of the first. The threshold for
95 % precision is chosen on other sessions, those of `--chosen-on`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bls.contracts import AGENT_GRAPH
from bls.errors import SkynetError
from bls.models.onnx_model import OnnxModel
from bls.phantom.kernels import F64
from export.agent_score import scores
from export.agent_score.artefact import SHIPPED, verify
from export.agent_score.config import TrainConfig
from export.agent_score.sessions import Flags, prefixes, read
from export.agent_score.tables import table
from export.errors import ExportError

HALF = 0.5


@dataclass(frozen=True)
class Judged:
    """Of each session [s]: whether an agent drove it, which driver, and f(tau) of all of it."""

    agent: Flags
    driver: NDArray[np.str_]
    score: F64

    def only(self, kept: Flags) -> Judged:
        return Judged(self.agent[kept], self.driver[kept], self.score[kept])

    def without(self, drivers: Sequence[str]) -> Judged:
        return self.only(~np.isin(self.driver, drivers))


def judge(files: Sequence[Path], model: Path) -> Judged:
    """Raises `ExportError`: `sessions_missing`, and what `verify` refuses a folder with."""
    verify(model)
    data = prefixes(read(files))
    rows, names = data.whole(), [tensor.name for tensor in AGENT_GRAPH.inputs]
    asked = dict(zip(names, (data.transitions[rows], data.stats[rows]), strict=True))
    found = OnnxModel(model, AGENT_GRAPH).run(asked)[0][:, 0]
    return Judged(data.agent, data.driver, found.astype(np.float64))


def figures(name: str, found: Judged, prior: float, threshold: float | None) -> list[str]:
    """A row of `HEAD`. `threshold` None: none was chosen."""
    known = found.agent, found.score
    half = scores.detected(*known, prior, HALF)
    row = [name, str(len(found.agent)), str(scores.auc_interval(*known))]
    row += [f"{scores.ece(*known, prior):.3f}", f"{half.precision:.2f}, {half.recall:.2f}"]
    if threshold is None:
        return [*row, "-", "-", "-"]
    sure = scores.detected(*known, prior, threshold)
    flags = bool((found.score >= threshold).any())
    wrong = int((found.score[~found.agent] >= threshold).sum())
    flagged = f"{wrong} of {int((~found.agent).sum())}"
    return [*row, f"{sure.precision:.3f}" if flags else "-", f"{sure.recall:.2f}", flagged]


HEAD = (
    "sessions of",
    "sessions",
    "AUC",
    "ECE",
    "precision, recall at 0.5",
    "precision at the threshold",
    "recall there",
    "person-like flagged there",
)


def drivers(found: Judged) -> list[list[str]]:
    """Driver, sessions, mean f, share from 0.5 on; agents first."""
    names = [np.unique(found.driver[found.agent == side]) for side in (True, False)]
    rows = []
    for driver in np.concatenate(names):
        own = found.score[found.driver == driver]
        share = f"{(own >= HALF).mean():.0%}"
        rows.append([str(driver), str(len(own)), f"{own.mean():.2f}", share])
    return rows


def report(found: Judged, unseen: Sequence[str], prior: float, threshold: float | None) -> str:
    """The figures, then the drivers. Known drivers have no row where no agent is known."""
    known = found.without(unseen)
    rows = [figures("known drivers", known, prior, threshold)] if known.agent.any() else []
    for driver in unseen:
        beside = found.only(~found.agent | (found.driver == driver))
        rows.append(figures(f"{driver}, never seen", beside, prior, threshold))
    chosen = "" if threshold is None else f"Threshold for 95 % precision: {threshold:.2f}.\n\n"
    each = table(["driver", "sessions", "mean f", "f >= 0.5"], drivers(found))
    return f"{table(HEAD, rows)}\n{chosen}{each}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 2 with the error on stderr."""
    options = _parser().parse_args(arguments)
    try:
        found, threshold = judge(options.sessions, options.model), None
        if missing := set(options.unseen) - set(found.driver[found.agent]):
            raise ExportError("sessions_missing", f"no session of {', '.join(sorted(missing))}")
        if options.chosen_on:
            other = judge(options.chosen_on, options.model)
            threshold = scores.most_recall(other.agent, other.score, options.prior).threshold
    except (ExportError, SkynetError) as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 2
    print(report(found, options.unseen, options.prior, threshold))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m export.agent_score.judge")
    parser.add_argument("--sessions", type=Path, nargs="+", required=True)
    parser.add_argument("--chosen-on", type=Path, nargs="+", default=[], help="for the threshold")
    parser.add_argument("--unseen", nargs="+", default=[], metavar="DRIVER")
    parser.add_argument("--model", type=Path, default=SHIPPED, help="folder of a version")
    parser.add_argument("--prior", type=float, default=TrainConfig().prior, help="share of agents")
    return parser


if __name__ == "__main__":
    sys.exit(main())
