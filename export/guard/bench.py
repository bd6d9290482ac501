# SPDX-License-Identifier: Apache-2.0
"""`python -m export.guard.bench --data FOLDER`: what a ruling costs on one thread.

Turns of chats, product ads, and chats of 6,000 tokens given as one text. Every text is judged for
the first time; processor time beside elapsed time, because a busy machine stretches the latter.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bls.contracts import Use
from bls.guard.guard import Guard, load_guard
from bls.guard.scrub import scrub
from bls.settings import Settings
from export.guard import sources
from export.guard.sources import HELD

TEXTS, LONG, CHARACTERS = 500, 20, 24_000
"""24,000 characters are about 6,000 tokens of English."""


def cases(folder: Path) -> dict[str, tuple[Use, list[str]]]:
    """Texts by kind. Raises `ExportError` `no_data`."""
    held = sources.load(folder)[HELD]
    turns = [one.text for one in held if one.source == "chats"]
    ads = [one.text for one in held if one.source == "ads"]
    whole = " ".join(turns)
    chats = [whole[at * CHARACTERS : (at + 1) * CHARACTERS] for at in range(LONG)]
    return {
        "chat turn": (Use.USER, turns[:TEXTS]),
        "product ad": (Use.AD, ads[:TEXTS]),
        "chat of 6,000 tokens": (Use.USER, chats),
    }


def timed(guard: Guard, use: Use, texts: Sequence[str]) -> tuple[list[float], list[float]]:
    """Elapsed and processor milliseconds of each text."""
    elapsed, busy = [], []
    for text in texts:
        wall, thread = time.perf_counter(), time.thread_time()
        guard.judge([text], use)
        elapsed.append(1e3 * (time.perf_counter() - wall))
        busy.append(1e3 * (time.thread_time() - thread))
    return elapsed, busy


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m export.guard.bench", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, default=Settings().guard_folder())
    options = parser.parse_args()
    guard = load_guard(options.model)
    found = cases(options.data)
    guard.judge(found["chat turn"][1][-8:], Use.REPLY)
    print("| text | n | ms p50 | ms p95 | processor ms p50 | processor ms p95 |")
    print("|---|---|---|---|---|---|")
    for name, (use, texts) in found.items():
        print(_row(f"ruling: {name}", *timed(guard, use, texts)))
    elapsed = []
    for text in found["chat of 6,000 tokens"][1]:
        began = time.thread_time()
        scrub(text)
        elapsed.append(1e3 * (time.thread_time() - began))
    print(_row("scrub: chat of 6,000 tokens", elapsed, elapsed))


def _row(name: str, elapsed: Sequence[float], busy: Sequence[float]) -> str:
    figures = [np.percentile(series, q) for series in (elapsed, busy) for q in (50, 95)]
    return f"| {name} | {len(elapsed)} | " + " | ".join(f"{x:.2f}" for x in figures) + " |"


if __name__ == "__main__":
    main()
