# SPDX-License-Identifier: Apache-2.0
"""`python -m export.guard --data FOLDER --out FOLDER`: train the classifier of `policy_guard`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from bls.errors import SkynetError
from export.errors import ExportError
from export.guard.config import GuardConfig


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m export.guard", description=__doc__)
    default = GuardConfig()
    parser.add_argument("--data", type=Path, required=True, help="folder of the public data sets")
    parser.add_argument("--out", type=Path, required=True, help="folder of the version")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=default.epochs)
    parser.add_argument("--max-steps", type=int, default=0, help="for a smoke run")
    parser.add_argument("--most", type=int, default=0, help="texts of each part; for a smoke run")
    return parser.parse_args()


def main() -> int:
    """Exit status: 0 done, 1 with the error on stderr."""
    options = _arguments()
    config = replace(GuardConfig(), epochs=options.epochs, max_steps=options.max_steps)
    from export.guard.build import train  # noqa: PLC0415  (seconds to import)

    try:
        built = train(options.data, options.out, config, options.seed, options.most)
    except (ExportError, SkynetError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(dict(built.metrics), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
