# SPDX-License-Identifier: Apache-2.0
"""How fast days are made: `python -m pipelines_dagster.defs.datasets.bench`, on one core.

Simulated traffic fills bronze tables of a lake in a temporary folder; then every recipe makes its
days, and nothing is written. Seconds are of processor time, rows a
second are of the recipe's first source. A second round with a
tenth of the rows shows whether the cost grows as the rows do.
"""

from __future__ import annotations

import os

os.environ.setdefault("POLARS_MAX_THREADS", "1")

import argparse
import tempfile
import time

import numpy as np
from numpy.typing import NDArray

from bls.events.topics import TOPICS
from pipelines_dagster.defs.datasets.bronze import PREFIX, as_bronze
from pipelines_dagster.defs.datasets.recipe import Job, Recipe
from pipelines_dagster.defs.datasets.refresh import refresh
from pipelines_dagster.defs.datasets.tables import recipes
from pipelines_dagster.defs.market.as_events import Traffic, simulate_events
from pipelines_dagster.defs.market.world import draw_world
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.lake.partitions import days_of, version_of

_TOKENS = 44
"""Mean tokens of a reply: rows of `auction.bids` in a conversation."""
_CHUNK = 2_000
_DAY_S = 86_400.0


def main() -> None:
    """Parse and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of bronze/auction_bids")
    rows = parser.parse_args().rows
    print("| table | source rows | rows out | CPU s | source rows/s | x10 rows, x time |")
    print("| --- | --- | --- | --- | --- | --- |")
    small, large = _measured(rows // 10), _measured(rows)
    for table, (read, made, seconds) in large.items():
        ratio = seconds / small[table][2]
        speed = f"{read / seconds:,.0f}"
        print(f"| {table} | {read:,} | {made:,} | {seconds:.2f} | {speed} | {ratio:.1f} |")


Figures = tuple[int, int, float]


def _measured(rows: int) -> dict[str, Figures]:
    """Source rows, rows made and seconds, by table."""
    rng = np.random.default_rng(0)
    world = draw_world(256, 320, rng)
    known = dict(zip(world.texts, world.ad, strict=True))

    def encode(texts: list[str]) -> NDArray[np.float32]:
        return np.stack([known[text] for text in texts])

    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder)
        conversations = max(1, rows // _TOKENS)
        gap_s = 4 * _DAY_S / max(conversations, 1)
        start = Traffic(0).start
        for seed, first in enumerate(range(0, conversations, _CHUNK)):
            count = min(_CHUNK, conversations - first)
            at = start + first * gap_s
            traffic = simulate_events(Traffic(seed, count, start=at, gap_s=gap_s), world)
            for topic, lines in traffic.items():
                table = f"{PREFIX}{TOPICS[topic].table}"
                if topic != "auction.vcg":
                    lake.append(table, as_bronze(topic, lines, "bench", first * 1_000))
        return {table: _one(lake, recipe) for table, recipe in recipes(encode).items()}


def _one(lake: Lake, recipe: Recipe) -> Figures:
    now = {source.table: version_of(lake, source.table) for source in recipe.sources}
    job = Job(lake, recipe, {table: at for table, at in now.items() if at is not None})
    source = recipe.sources[0].table
    days = sorted(days_of(lake, source))
    began = time.process_time()
    made = sum(job(day).height for day in days)
    seconds = time.process_time() - began
    refresh(lake, recipe)
    found = lake.open(source)
    return (0 if found is None else int(found.count()), made, seconds)


if __name__ == "__main__":
    main()
