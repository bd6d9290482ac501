# SPDX-License-Identifier: Apache-2.0
"""`python -m export.lora`: fine-tune an adapter on click pairs, by DPO."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

from export.errors import ExportError
from export.llm.api import DEFAULT_CACHE
from export.llm.sources import AUTO
from export.lora.pairs import read_pairs, simulated_pairs


def main() -> int:
    """Exit status: 0 written, 1 with the error on stderr."""
    parser = argparse.ArgumentParser(prog="python -m export.lora", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of the new version")
    parser.add_argument("--pairs", type=Path, help="JSONL of pairs; else the market simulator's")
    parser.add_argument("--count", type=int, default=120, help="simulated pairs")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch", type=int, default=4, help="pairs a step")
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--source", default=AUTO, help="the LLM, as for python -m export.llm")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    from export.lora.dpo import DPOConfig  # noqa: PLC0415  (torch: seconds, and not for --help)
    from export.lora.fine_tune import Recipe, fine_tune  # noqa: PLC0415

    began = time.monotonic()
    try:
        if arguments.pairs is None:
            pairs = simulated_pairs(arguments.count, arguments.seed)
        else:
            pairs = read_pairs(arguments.pairs)
        config = replace(
            DPOConfig(),
            steps=arguments.steps,
            batch=arguments.batch,
            learning_rate=arguments.learning_rate,
        )
        recipe = Recipe(arguments.source, config, arguments.seed, threads=arguments.threads)
        tuned = fine_tune(
            pairs,
            recipe,
            arguments.cache,
            arguments.out,
            lambda line: print(f"{time.monotonic() - began:7.1f} s  {line}", flush=True),
        )
    except ExportError as error:
        print(error, file=sys.stderr)
        return 1
    print(tuned.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
