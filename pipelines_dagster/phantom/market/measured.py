# SPDX-License-Identifier: Apache-2.0
"""Kernels measured on the sessions of our own drivers, beside the hand-drawn ones.

    skynet phantom traffic --mode hotel --sessions 3000 --out hotel.jsonl.gz
    skynet phantom traffic --mode airline --sessions 3000 --out airline.jsonl.gz
    python -m pipelines_dagster.phantom.market.measured hotel.jsonl.gz airline.jsonl.gz

writes `behaviour.json`. People there are person-like drivers: synthetic sessions that imitate.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from bls.errors import SkynetError, invalid
from bls.phantom.recorded import read_sessions
from bls.phantom.session import Session
from pipelines_dagster.phantom.market.behaviour import AGENT, HUMAN, Behaviour, behaviour_of
from pipelines_dagster.phantom.market.config import MarketConfig

FILE = Path(__file__).with_name("behaviour.json")
_DIGITS = 6


@dataclass(frozen=True)
class Measured:
    """Kernels, the mean number of acts of a session by class, and how many sessions of each."""

    behaviour: Behaviour
    visits: tuple[float, float]
    sessions: tuple[int, int]

    def config(self, like: MarketConfig) -> MarketConfig:
        """The market with sessions as long as those measured."""
        return replace(like, visits=self.visits)


def measure(sessions: Iterable[Session]) -> Measured:
    """Of sessions whose `actor` is known; the others do not count. Raises `bad_behaviour`."""
    by: tuple[list[Session], list[Session]] = ([], [])
    for each in sessions:
        if each.actor and each.events:
            by[AGENT if each.actor == "agent" else HUMAN].append(each)
    behaviour = behaviour_of(*by)
    lengths = [max(2.0, float(np.mean([len(each.events) for each in kind]))) for kind in by]
    return Measured(behaviour, (lengths[0], lengths[1]), (len(by[0]), len(by[1])))


def write(found: Measured, file: Path) -> None:
    """As JSON: the same sessions make the same bytes."""
    told = {
        "sessions": found.sessions,
        "visits": [round(each, 2) for each in found.visits],
        "first": found.behaviour.first.round(_DIGITS).tolist(),
        "kernels": found.behaviour.kernels.round(_DIGITS).tolist(),
    }
    file.write_text(json.dumps(told, separators=(",", ":")) + "\n")


def read(file: Path) -> Measured:
    """Raises `bad_behaviour` for a file that is none."""
    try:
        told = json.loads(file.read_text())
        rows = [np.array(told[name], np.float64) for name in ("kernels", "first")]
        kernels, first = (each / each.sum(axis=-1, keepdims=True) for each in rows)
        visits, sessions = told["visits"], told["sessions"]
        return Measured(
            Behaviour(kernels, first),
            (float(visits[0]), float(visits[1])),
            (int(sessions[0]), int(sessions[1])),
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError) as fault:
        why = f"Behaviour: {type(fault).__name__} in the file."
        raise invalid("bad_behaviour", why) from None


@cache
def drivers() -> Measured:
    """What the shipped file has."""
    return read(FILE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures files of sessions. Exit status 1 with the fault where one cannot be read."""
    parser = argparse.ArgumentParser(description="Kernels of recorded sessions.")
    parser.add_argument("sessions", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=FILE)
    asked = parser.parse_args(arguments)
    try:
        found = measure(each for file in asked.sessions for each in read_sessions(file))
    except SkynetError as fault:
        print(f"{fault.code}: {fault.message}")
        return 1
    write(found, asked.out)
    people, agents = found.sessions
    print(f"{people:,} person-like and {agents:,} agent sessions")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
