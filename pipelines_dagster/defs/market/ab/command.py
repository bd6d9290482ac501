# SPDX-License-Identifier: Apache-2.0
"""`ab`: the experiment from the command line."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm  # type: ignore[import-untyped]

from bls.errors import invalid
from bls.settings import REPOSITORY
from pipelines_dagster.defs.market.ab import models, report
from pipelines_dagster.defs.market.ab.experiment import Comparison, Plan, compare
from pipelines_dagster.defs.market.ab.play import Setting

REGIMES = ("stationary", "drifting", "predictable")
_SERVED = REPOSITORY / "model_repository"


def add_ab(subparsers: Any) -> None:
    """The command's options."""
    parser = subparsers.add_parser("ab", help="compare the bidding brain with rules of thumb")
    parser.set_defaults(run=run)
    parser.add_argument("--regime", choices=(*REGIMES, "all"), default="all")
    parser.add_argument("--seeds", type=int, default=12, help="paired seeds")
    parser.add_argument("--conversations", type=int, default=800, help="per seed")
    parser.add_argument(
        "--predictor",
        default=str(_SERVED / "bid_predictor" / "1"),
        help="folder of a served version, 'oracle' or 'ewma'",
    )
    parser.add_argument(
        "--tve", default=str(_SERVED / "tve" / "1"), help="folder of a served version, or 'oracle'"
    )
    parser.add_argument("--tuning-seeds", type=int, default=Plan.tuning_seeds)
    parser.add_argument("--waves", type=int, default=Setting.waves, help="of conversations")
    parser.add_argument("--budget", type=float, default=Setting.budget, help="per conversation")
    parser.add_argument("--out", type=Path, help="folder for ab.json and ab.svg")


def run(options: argparse.Namespace) -> str:
    """The table; raises `bad_size` or `model_missing`."""
    sizes = (options.seeds, options.conversations, options.tuning_seeds, options.waves)
    if min(sizes) < 1 or options.budget <= 0:
        raise invalid("bad_size", "Seeds, conversations, waves and the budget are above 0.")
    plan = Plan(
        forecast=_forecast(options.predictor),
        curves=_curves(options.tve),
        setting=Setting(waves=options.waves, budget=options.budget),
        seeds=options.seeds,
        tuning_seeds=options.tuning_seeds,
        conversations=options.conversations,
    )
    regimes = REGIMES if options.regime == "all" else (options.regime,)
    made: list[Comparison] = []
    with tqdm(total=2 * plan.seeds * len(regimes), unit="step", disable=None) as bar:
        for regime in regimes:
            made += compare(regime, plan, bar.update)
    if options.out:
        publish(made, options)
    return report.as_table(made)


def publish(made: list[Comparison], options: argparse.Namespace) -> None:
    """`ab.json`, and `ab.svg` where matplotlib is installed."""
    options.out.mkdir(parents=True, exist_ok=True)
    asked = {n: str(v) for n, v in vars(options).items() if n in ("predictor", "tve")}
    size = {"seeds": options.seeds, "conversations": options.conversations}
    page = asked | size | {"comparisons": [report.as_json(each) for each in made]}
    (options.out / "ab.json").write_text(json.dumps(page, indent=2) + "\n")
    try:
        report.plot(made, options.out / "ab.svg")
    except ImportError:
        print("no plot: the extra `report` is not installed", file=sys.stderr)


def _forecast(name: str) -> models.Forecast:
    known: dict[str, models.Forecast] = {
        "oracle": models.oracle_forecast,
        "ewma": models.ewma_forecast,
    }
    return known.get(name) or models.OnnxForecast(Path(name))


def _curves(name: str) -> models.Curves:
    return models.oracle_curves if name == "oracle" else models.OnnxCurves(Path(name))
