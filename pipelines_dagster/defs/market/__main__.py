# SPDX-License-Identifier: Apache-2.0
"""`python -m pipelines_dagster.defs.market`: draw datasets, compare bidders, measure speed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from bls.errors import SkynetError
from pipelines_dagster.defs.market import commands
from pipelines_dagster.defs.market.ab.command import add_ab


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 with one line on stderr when a request cannot work."""
    parser = argparse.ArgumentParser(prog="market", description=__doc__)
    subparsers = parser.add_subparsers(required=True, metavar="command")
    for add in (commands.add_simulate, commands.add_bench, add_ab):
        add(subparsers)
    options = parser.parse_args(arguments)
    try:
        result = options.run(options)
    except SkynetError as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 2
    print(result if isinstance(result, str) else json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
