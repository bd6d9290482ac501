# SPDX-License-Identifier: Apache-2.0
"""What the market's commands take and do."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tqdm import tqdm  # type: ignore[import-untyped]

from pipelines_dagster.defs.market.bench import bench
from pipelines_dagster.defs.market.events import record
from pipelines_dagster.defs.market.params import MIXES
from pipelines_dagster.defs.market.simulate import Size, simulate
from pipelines_dagster.defs.market.texts import world_of_files

Subparsers = Any

EVENTS = "events"
"""Folder of event records in a dataset's folder."""


def add_simulate(subparsers: Subparsers) -> None:
    """`simulate`: a dataset in a folder."""
    parser = _command(subparsers, "simulate", "draw a dataset", _simulate)
    default = Size()
    parser.add_argument("--out", type=Path, required=True, help="folder of the dataset")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scenario", choices=sorted(MIXES), default="train")
    parser.add_argument("--shift", action="store_true", help="outside the training ranges")
    parser.add_argument("--conversations", type=int, default=default.conversations)
    parser.add_argument("--contexts", type=int, default=default.contexts)
    parser.add_argument("--num-ads", type=int, default=default.ads)
    parser.add_argument("--pairs", type=int, default=default.pairs)
    parser.add_argument(
        "--events", type=int, default=0, metavar="N", help="record N more conversations as events"
    )
    parser.add_argument("--texts", type=Path, help="chats as JSON lines, .gz or not")
    parser.add_argument("--ads", type=Path, help="products as TSV: ad_title, ad_description, brand")


def add_bench(subparsers: Subparsers) -> None:
    """`bench`: token auctions a minute on this machine."""
    parser = _command(subparsers, "bench", "measure speed", lambda o: bench(o.conversations))
    parser.add_argument("--conversations", type=int, default=1_024)


def _simulate(options: argparse.Namespace) -> dict[str, Any]:
    size = Size(options.conversations, options.contexts, options.num_ads, options.pairs)
    world = None
    if options.texts or options.ads:
        world = world_of_files(options.texts, options.ads, size, options.seed)
    with tqdm(total=size.conversations, unit="conv", disable=None) as bar:
        card = simulate(
            options.out,
            options.seed,
            size,
            options.scenario,
            shift=options.shift,
            world=world,
            progress=bar.update,
        )
    if options.events:
        record(options.out / EVENTS, options.seed, options.events, options.scenario)
    return {key: card[key] for key in ("rows", "irreducible", "seconds")}


def _command(subparsers: Subparsers, name: str, text: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = subparsers.add_parser(name, help=text)
    parser.set_defaults(run=run)
    return parser
