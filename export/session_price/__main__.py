# SPDX-License-Identifier: Apache-2.0
"""`python -m export.session_price`: a trained policy's folder in, a model folder out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bls.errors import SkynetError
from export.errors import ExportError
from export.session_price.artefact import export


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 2 with the error on stderr."""
    parser = argparse.ArgumentParser(prog="python -m export.session_price", description=__doc__)
    parser.add_argument("--policy", type=Path, required=True, help="of `skynet phantom train`")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--version", default="1", help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        made = export(options.policy, options.out, options.version)
    except (ExportError, SkynetError) as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 2
    print(json.dumps(made.metrics, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
