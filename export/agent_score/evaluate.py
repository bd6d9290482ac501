# SPDX-License-Identifier: Apache-2.0
"""`python -m export.agent_score.evaluate`: folds, baselines, tables and plots.

With `--write` the tables go between the marks of a Markdown file and the plot beside it. Prints
what was run on which commit, with which seed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from bls.errors import SkynetError
from export.agent_score import plot, tables
from export.agent_score.baselines import METHODS
from export.agent_score.config import TrainConfig, natural
from export.agent_score.evaluation import Evaluation, Plan, evaluate, gap_tests, small_tests, steps
from export.agent_score.sessions import prefixes, read
from export.errors import ExportError

_SURE = "thresholds for 95 % precision on the other folds (precision reached)"
BEGIN, FINISH = "<!-- measured -->", "<!-- /measured -->"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 2 with the error on stderr."""
    options = _parser().parse_args(arguments)
    try:
        text = _run(options)
        if options.write is not None:
            written(options.write, text)
    except (ExportError, SkynetError) as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 2
    print(text)
    return 0


def _run(options: argparse.Namespace) -> str:
    config = replace(TrainConfig(), steps=options.steps)
    plan = Plan(config, options.seed, options.folds, options.alone, tuple(options.methods))
    data = prefixes(read(options.sessions))
    with tqdm(total=steps(data, plan), unit="fold", disable=None) as bar:
        result = evaluate(data, plan, bar.update)
    if options.write is not None:
        plot.draw(result, options.write.with_suffix(".svg"))
    return report(result, plan)


def report(result: Evaluation, plan: Plan) -> str:
    """Every table, each under a line that says what it is."""
    small = small_tests(result.data, plan.seed)
    parts = [
        ("Sessions", tables.data_set(result)),
        ("Separation", tables.separation(result)),
        ("Leave one driver out (AUC of its sessions, whole)", tables.drivers(result)),
        ("Scores of known and of unseen drivers", tables.unseen(result)),
        ("After so many events", tables.early(result)),
        (f"Events until so many are found; {_SURE}", tables.sure_after(result)),
        ("Calibration", tables.calibration(result)),
        ("What it reads", tables.blocks(result)),
        ("The published gap test", tables.gap(gap_tests(result.data))),
        ("The same at its published size, 13 + 16 sessions drawn", tables.small(small)),
    ]
    text = "\n".join(f"**{title}**\n\n{body}" for title, body in parts)
    if result.loso is not None:
        auc, count = result.loso
        text += f"\nExact leave-one-session-out over {count} sessions: AUC {auc}.\n"
    size = f"{len(result.data.agent)} sessions, {len(result.data.length)} prefixes"
    run = f"commit {commit()}, seed {plan.seed}, {plan.folds} folds, prior {plan.config.prior}"
    return f"{text}\nMeasured on {size}; {run}.\n"


def written(path: Path, text: str) -> None:
    """Replaces what stands between the marks. Raises `ExportError` `marks_missing`."""
    before, begin, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, finish, after = rest.partition(FINISH)
    if not begin or not finish:
        raise ExportError("marks_missing", f"{path.name} has no {BEGIN} .. {FINISH}")
    path.write_text(f"{before}{BEGIN}\n\n{text}\n{FINISH}{after}", encoding="utf-8")


def commit() -> str:
    """Of the working tree, `unknown` outside one."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return told.stdout.strip()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m export.agent_score.evaluate")
    parser.add_argument("--sessions", type=Path, nargs="+", required=True)
    parser.add_argument("--seed", type=natural, default=0)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=TrainConfig.steps, help="of the classifier")
    parser.add_argument("--alone", type=natural, default=0, help="sessions left out one by one")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), help="%(default)s")
    parser.add_argument("--write", type=Path, help="a Markdown file with marks")
    return parser


if __name__ == "__main__":
    sys.exit(main())
