# SPDX-License-Identifier: Apache-2.0
"""`python -m export.tve`: train the value model, report on held-out markets, make a tokenizer."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from bls.errors import SkynetError
from bls.settings import REPOSITORY
from export.errors import ExportError
from export.tve.config import Stage, TveConfig
from export.tve.tokens import TOKENIZER

SHIPPED = REPOSITORY / "model_repository" / "tve" / "1"


def _train(options: argparse.Namespace) -> None:
    from export.tve.train import train  # noqa: PLC0415  (seconds to import)

    config = replace(
        TveConfig(),
        similarity=Stage(options.lr, options.similarity_epochs),
        supervised=Stage(options.lr, options.epochs),
        distil=Stage(2 * options.lr, options.epochs),
        threads=options.threads,
        max_steps=options.max_steps,
    )
    done = train(
        options.dataset,
        config,
        options.seed,
        options.out,
        tokenizer=options.tokenizer,
        progress=sys.stderr.isatty() or options.progress,
    )
    print(json.dumps({"artefact": str(done.artefact), **done.metrics}, indent=2))


def _report(options: argparse.Namespace) -> None:
    from export.tve.plot import calibration_plot  # noqa: PLC0415
    from export.tve.report import report  # noqa: PLC0415

    figures = report(options.out, {path.name: path for path in options.datasets}, options.rows)
    if options.plot:
        calibration_plot(figures, options.version, options.plot)
    print(json.dumps(figures, indent=2))


def _replay(options: argparse.Namespace) -> None:
    from export.tve.replay import events_of, replay  # noqa: PLC0415

    events = events_of(options.dataset, options.events, options.seed)
    print(json.dumps(replay(options.out, events, options.csv), indent=2))


def _tokenizer(options: argparse.Namespace) -> None:
    from export.tve.tokens import train_tokenizer  # noqa: PLC0415

    lines = [line for path in options.texts for line in path.read_text("utf-8").splitlines()]
    options.out.write_text(train_tokenizer(lines, options.vocabulary).to_str() + "\n", "utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m export.tve", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")

    one = commands.add_parser("train", help="a market dataset to three model folders")
    default = TveConfig()
    one.add_argument("--dataset", type=Path, required=True, help="a dataset, or a folder of them")
    one.add_argument("--out", type=Path, required=True)
    one.add_argument("--seed", type=int, default=1)
    one.add_argument("--epochs", type=int, default=default.supervised.epochs)
    one.add_argument("--similarity-epochs", type=int, default=default.similarity.epochs)
    one.add_argument("--lr", type=float, default=default.supervised.lr)
    one.add_argument("--threads", type=int, default=default.threads)
    one.add_argument("--max-steps", type=int, default=0, help="of each stage; for a smoke run")
    one.add_argument(
        "--tokenizer", type=Path, default=SHIPPED / TOKENIZER, help="default: the shipped one"
    )
    one.add_argument("--progress", action="store_true", help="show the bar without a terminal too")
    one.set_defaults(run=_train)

    two = commands.add_parser("report", help="scores on held-out datasets")
    two.add_argument("datasets", type=Path, nargs="+")
    two.add_argument("--out", type=Path, required=True, help="what train wrote")
    two.add_argument("--rows", type=int, default=8192, help="of each dataset")
    two.add_argument("--plot", type=Path, help="calibration plot (SVG)")
    two.add_argument("--version", default="student_int8", help="that is plotted")
    two.set_defaults(run=_report)

    four = commands.add_parser("replay", help="stored events on every version, twice")
    four.add_argument("dataset", type=Path)
    four.add_argument("--out", type=Path, required=True, help="what train wrote")
    four.add_argument("--events", type=int, default=10_000)
    four.add_argument("--seed", type=int, default=0)
    four.add_argument("--csv", type=Path, default=Path("replay.diff.csv"))
    four.set_defaults(run=_replay)

    three = commands.add_parser("tokenizer", help="a byte-pair tokenizer from lines of ad text")
    three.add_argument("texts", type=Path, nargs="+")
    three.add_argument("--out", type=Path, required=True)
    three.add_argument("--vocabulary", type=int, default=4096)
    three.set_defaults(run=_tokenizer)
    return parser.parse_args()


def main() -> int:
    """Exit status: 0 done, 1 with the error on stderr."""
    options = _arguments()
    try:
        options.run(options)
    except (ExportError, SkynetError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
