# SPDX-License-Identifier: Apache-2.0
"""What a result is worth nothing without: git SHA, command line, seeds, market."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines_dagster.phantom.market.config import MarketConfig


def command() -> str:
    """This process's command line, the program by its name alone."""
    program = Path(sys.argv[0])
    name = f"python -m {program.parent.name}" if program.name == "__main__.py" else program.name
    return shlex.join([*name.split(), *sys.argv[1:]])


def market_dict(market: MarketConfig) -> dict[str, Any]:
    """As JSON values."""
    return dataclasses.asdict(market)


def record(market: MarketConfig, seeds: Sequence[int]) -> dict[str, Any]:
    """The trail of a run."""
    from pipelines_dagster.defs.training.run import code_version  # noqa: PLC0415 (pulls in polars)

    return {
        "git": code_version(),
        "argv": command(),
        "seeds": list(seeds),
        "market": market_dict(market),
    }
