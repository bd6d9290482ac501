# SPDX-License-Identifier: Apache-2.0
"""`python -m export.guard.bypass [FOLDER]`: 200 attempts to get past the guard, and how many do.

An attempt is caught when the verdict is anything but OK.
"""

from __future__ import annotations

import random
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bls.contracts import Use
from bls.guard.guard import Guard, load_guard
from bls.settings import Settings
from export.guard.attacks import TRAINED, UNSEEN
from export.guard.figures import wilson

SUITE = Path(__file__).with_name("bypass.toml")
PARAPHRASE = "paraphrase"
_LEFT_OUT = ("case", "bold")  # the weakest two


@dataclass(frozen=True)
class Attempt:
    """One text; `group` says what it is about, `attack` how it is hidden."""

    group: str
    attack: str
    use: Use
    text: str


def attempts(seed: int = 7) -> list[Attempt]:
    """The same 200 for the same seed."""
    return list(_attempts(random.Random(seed)))


def _attempts(rng: random.Random) -> Iterator[Attempt]:
    attacks = {name: one for name, one in (TRAINED | UNSEEN).items() if name not in _LEFT_OUT}
    for group, told in tomllib.loads(SUITE.read_text("utf-8")).items():
        use = Use[told["use"]]
        for text in told["seeds"]:
            for name, attack in attacks.items():
                yield Attempt(group, name, use, attack(text, rng))
        for text in told["paraphrases"]:
            yield Attempt(group, PARAPHRASE, use, text)


def caught(guard: Guard, tried: Sequence[Attempt]) -> list[bool]:
    """For each attempt, whether the guard said anything."""
    return [not guard.judge([one.text], one.use)[0].ok for one in tried]


def table(tried: Sequence[Attempt], found: Sequence[bool]) -> str:
    """Markdown: what was caught, by group, by attack and in all."""
    rows = ["| attempts | caught | of | rate | 95 % interval |", "|---|---|---|---|---|"]
    for kind in ("group", "attack"):
        of = Counter(getattr(one, kind) for one in tried)
        hit = Counter(getattr(one, kind) for one, was in zip(tried, found, strict=True) if was)
        rows += [_row(name, hit[name], count) for name, count in of.items()]
    return "\n".join([*rows, _row("all", sum(found), len(found))])


def _row(name: str, hit: int, of: int) -> str:
    low, high = wilson(hit, of)
    return f"| {name} | {hit} | {of} | {hit / of:.1%} | {low:.1%} - {high:.1%} |"


def main() -> int:
    """Print the table for a folder, by default the shipped version."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Settings().guard_folder()
    tried = attempts()
    print(table(tried, caught(load_guard(folder), tried)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
