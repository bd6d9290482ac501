# SPDX-License-Identifier: Apache-2.0
"""`python -m export.summariser train --data FILE --out FOLDER`: train and export the summariser."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

from bls.condense.summariser import HS_BART, SELECTION, TOKENIZER
from bls.errors import SkynetError
from bls.settings import Settings
from export.errors import ExportError
from export.llm.sources import AUTO
from export.summariser.make import Config, Source, make


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m export.summariser", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train and export both kinds, or one")
    train.add_argument("--data", type=Path, required=True, help="dialogues, JSONL or JSONL.gz")
    train.add_argument("--out", type=Path, required=True)
    train.add_argument("--kind", choices=(SELECTION, HS_BART), help="both, where it is not said")
    train.add_argument("--teacher", default="", help="folder or hub id of a seq2seq summariser")
    train.add_argument("--llm", default=AUTO, help="whose token embedding is taken")
    train.add_argument("--tokenizer", type=Path, help="of that LLM; by default the served one's")
    train.add_argument("--most", type=int, help="training dialogues at most")
    train.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> int:
    """Exit status: 0 done, 1 with the error on stderr."""
    arguments = _arguments()
    began = time.monotonic()
    try:
        tokenizer = arguments.tokenizer or Settings().llm_folder() / TOKENIZER
        kinds = (arguments.kind,) if arguments.kind else (SELECTION, HS_BART)
        make(
            arguments.data,
            Source(tokenizer, arguments.llm),
            arguments.out,
            replace(Config(), most=arguments.most, teacher_name=arguments.teacher),
            seed=arguments.seed,
            kinds=kinds,
            tell=lambda text: print(text, flush=True),
        )
    except (ExportError, SkynetError) as error:
        print(f"{error.code}: {error.message}", file=sys.stderr)
        return 1
    print(f"{time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
