# SPDX-License-Identifier: Apache-2.0
"""`python -m export.bid_predictor`: train a forecaster, print its report, run its harness."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from export.bid_predictor import robustness, tables
from export.bid_predictor.artefact import MODEL_FILE, SHIPPED, verify
from export.bid_predictor.config import TrainConfig
from export.bid_predictor.report import report
from export.bid_predictor.runtime import OnnxForecaster
from export.bid_predictor.training import train
from export.errors import ExportError


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, 1 where the robustness gate refuses, 2 with the error on stderr."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (ExportError, SkynetError) as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 2


def _train(options: argparse.Namespace) -> int:
    config = TrainConfig(steps=options.steps)
    trained = train(options.dataset, config, options.seed, options.out, progress=True)
    print(json.dumps(trained.metrics, indent=2))
    return 0


def _report(options: argparse.Namespace) -> int:
    print(report(options.model, options.dataset, options.held, options.svg, progress=True))
    return 0


def _robustness(options: argparse.Namespace) -> int:
    verify(options.model)
    rows = robustness.run(OnnxForecaster(options.model / MODEL_FILE), options.seed)
    if options.log is not None:
        log = JsonLog(options.log, len(rows))
        robustness.write_log(rows, log)
        log.close()
    print(tables.robust(rows))
    failures = robustness.gate(rows)
    print("\n".join(failures) or "the gate passes")
    return 1 if failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m export.bid_predictor", description=__doc__)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("train", help="a dataset in, an artefact folder out")
    one.add_argument("--dataset", type=Path, required=True)
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--steps", type=int, default=TrainConfig.steps, help="default: %(default)s")
    one.set_defaults(run=_train)
    two = commands.add_parser("report", help="tables and plot on held-out datasets")
    two.add_argument("--model", type=Path, default=SHIPPED)
    two.add_argument("--dataset", type=Path, required=True, help="the training dataset")
    two.add_argument("--held", type=Path, nargs="+", required=True)
    two.add_argument("--svg", type=Path, default=Path("docs/bid_predictor.svg"))
    two.set_defaults(run=_report)
    three = commands.add_parser("robustness", help="five attacks and the gate")
    three.add_argument("--model", type=Path, default=SHIPPED)
    three.add_argument("--seed", type=int, default=11)
    three.add_argument("--log", type=Path, help="folder of the robust.* lines")
    three.set_defaults(run=_robustness)
    return parser


if __name__ == "__main__":
    sys.exit(main())
