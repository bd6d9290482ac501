# SPDX-License-Identifier: Apache-2.0
"""`python -m export.llm`: export the LLM and point `current.json` at it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from export.errors import ExportError
from export.llm.api import DEFAULT_CACHE, ensure_llm
from export.llm.cache import set_current
from export.llm.graph import GraphOptions
from export.llm.sources import AUTO


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m export.llm", description=__doc__)
    parser.add_argument(
        "--source",
        default=AUTO,
        help="auto (the installed wheel), a .gguf file, a safetensors folder, org/name[@revision]",
    )
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="default: %(default)s")
    parser.add_argument(
        "--accuracy-level",
        type=int,
        choices=(0, 1, 4),
        default=GraphOptions.accuracy_level,
        help="4: int8 activations (default, fast); 0 or 1: f32 activations",
    )
    parser.add_argument("--force", action="store_true", help="export even where cached")
    return parser.parse_args()


def main() -> int:
    """Exit status: 0 exported or cached, 1 with the error on stderr."""
    arguments = _arguments()
    start = time.monotonic()

    shown = -1

    def report(what: str, done: float) -> None:
        nonlocal shown
        if int(done * 10) != shown:  # one line per tenth
            shown = int(done * 10)
            print(f"{done:4.0%} {time.monotonic() - start:6.1f} s  {what}", flush=True)

    options = GraphOptions(accuracy_level=arguments.accuracy_level)
    try:
        folder = ensure_llm(
            arguments.source, arguments.cache, report, options, force=arguments.force
        )
    except ExportError as error:
        print(error, file=sys.stderr)
        return 1
    set_current(folder.parent, folder.name)
    print(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
