# SPDX-License-Identifier: Apache-2.0
"""`python -m pipelines_dagster.phantom.bridge`: the experiment of docs/bridge.md."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from bls.errors import SkynetError, invalid
from bls.phantom.bridge import DIALS, Dials
from bls.settings import load_settings
from export.agent_score.config import TrainConfig
from export.errors import ExportError
from pipelines_dagster.phantom.bridge import driven, report
from pipelines_dagster.phantom.bridge.experiment import ALPHAS, Plan, play
from pipelines_dagster.phantom.bridge.learn import Learner
from pipelines_dagster.phantom.bridge.scores import Roc, Scores

PROGRAM = "python -m pipelines_dagster.phantom.bridge"


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        options = _parser().parse_args(words)
        plan, commit = _plan(options), report.sha()
        with tqdm(total=plan.seeds * len(plan.alphas), unit="alpha", disable=None) as bar:
            figures = play(plan, Learner.of(load_settings()), bar.update)
        block = report.page(figures, plan, (PROGRAM, *words), commit)
        if options.write is not None:
            report.write(options.write, block, options.mark)
            stem = f"{options.write.stem}{options.mark}.svg"
            report.plot(figures, plan, options.write.with_name(stem))
    except (ExportError, SkynetError) as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    print(block)
    return 0


def _plan(options: argparse.Namespace) -> Plan:
    """Raises `bad_size`, `bad_roc`, and as `driven.known`."""
    if min(options.seeds, options.conversations) < 1 or not options.alpha_values:
        raise invalid("bad_size", "Seeds, conversations and shares are at least 1.")
    if not 0 <= options.eager <= 1 or not all(0 <= a <= 1 for a in options.alpha_values):
        raise invalid("bad_size", "Shares are in [0, 1].")
    dials = Dials(options.agent_free, options.agent_strength, invalid_at=options.invalid_at)
    return Plan(
        scores=_scores(options),
        alphas=options.alpha_values,
        seeds=options.seeds,
        conversations=options.conversations,
        regime=options.regime,
        eager=options.eager,
        dials=dials,
    )


def _scores(options: argparse.Namespace) -> tuple[Scores, ...]:
    if options.auc:
        return tuple(Roc(auc) for auc in options.auc)
    if options.scores == driven.KNOWN:
        return (driven.known(load_settings().agent_folder()),)
    return (driven.unseen(TrainConfig()),)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(PROGRAM, description=__doc__)
    parser.add_argument("--alpha-values", type=_shares, default=ALPHAS, help="0,0.2,...")
    parser.add_argument("--seeds", type=int, default=Plan.seeds, help="paired")
    parser.add_argument("--conversations", type=int, default=Plan.conversations, help="per seed")
    parser.add_argument("--regime", default=Plan.regime, help="of the market simulator")
    scores = parser.add_mutually_exclusive_group()
    scores.add_argument("--scores", choices=(driven.KNOWN, driven.UNSEEN), default=driven.KNOWN)
    scores.add_argument("--auc", type=_shares, default=(), help="assume f instead: 0.98,0.9,...")
    parser.add_argument("--eager", type=float, default=Plan.eager, help="an agent's click rate")
    parser.add_argument("--agent-free", type=float, default=DIALS.free)
    parser.add_argument("--agent-strength", type=float, default=DIALS.strength)
    parser.add_argument("--invalid-at", type=float, default=DIALS.invalid_at)
    parser.add_argument("--write", type=Path, help="page whose figures are replaced; SVG beside it")
    parser.add_argument("--mark", default="", help="which of the page's blocks")
    return parser


def _shares(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


if __name__ == "__main__":
    raise SystemExit(main())
