# SPDX-License-Identifier: Apache-2.0
"""`python -m export.agent_score --sessions FILE... --out FOLDER`: train and export."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bls.errors import SkynetError
from export.agent_score.config import TrainConfig, natural
from export.agent_score.training import train
from export.errors import ExportError


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 2 with the error on stderr."""
    options = _parser().parse_args(arguments)
    try:
        config = replace(TrainConfig(), prior=options.prior, steps=options.steps)
        made = train(options.sessions, options.out, config, options.seed, options.version)
    except (ExportError, SkynetError) as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 2
    print(json.dumps(made.metrics, indent=2))
    return 0


def _parser() -> argparse.ArgumentParser:
    default = TrainConfig()
    parser = argparse.ArgumentParser(prog="python -m export.agent_score", description=__doc__)
    parser.add_argument("--sessions", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=natural, default=0)
    parser.add_argument("--version", default="1")
    parser.add_argument("--prior", type=float, default=default.prior, help="share of agents")
    parser.add_argument("--steps", type=int, default=default.steps)
    return parser


if __name__ == "__main__":
    sys.exit(main())
