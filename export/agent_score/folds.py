# SPDX-License-Identifier: Apache-2.0
"""What is held out together: sessions at random, one session, or every session of a driver."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bls.phantom.kernels import F64
from export.agent_score.baselines import Method
from export.agent_score.calibrate import session_folds
from export.agent_score.config import TrainConfig
from export.agent_score.sessions import Flags, Prefixes


class Fold(NamedTuple):
    """Sessions [s] that are scored by a classifier trained on the others."""

    name: str
    held: Flags


def by_session(data: Prefixes, folds: int, seed: int) -> list[Fold]:
    """Every session once, the same share of every driver in each fold."""
    everything = np.ones(len(data.agent), bool)
    parts = session_folds(data, everything, seed, folds)
    return [Fold(f"fold {at + 1}", held) for at, held in enumerate(parts)]


def by_driver(data: Prefixes, seed: int) -> list[Fold]:
    """A whole driver, and beside it a part of the other class's sessions to tell it from.

    Agents' drivers first (leave-one-agent-out), then the person-like ones.
    """
    rng = np.random.default_rng(seed)
    folds = []
    for agent in (True, False):
        drivers = np.unique(data.driver[data.agent == agent])
        part = rng.integers(len(drivers), size=len(data.agent))
        for at, driver in enumerate(drivers):
            own = (data.agent == agent) & (data.driver == driver)
            folds.append(Fold(str(driver), own | ((data.agent != agent) & (part == at))))
    return [fold for fold in folds if _both(data, fold.held) and _both(data, ~fold.held)]


def one_by_one(data: Prefixes, sessions: int, seed: int) -> list[Fold]:
    """One session each: `sessions` of them, as evenly from the drivers as there are."""
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(data.agent)), data.driver))
    place = np.empty(len(order), int)
    for driver in np.unique(data.driver):
        own = order[data.driver[order] == driver]
        place[own] = np.arange(len(own))
    chosen = np.argsort(place, kind="stable")[:sessions]
    return [Fold("one", np.arange(len(data.agent)) == at) for at in chosen]


def answers(
    method: Method, data: Prefixes, folds: Sequence[Fold], config: TrainConfig, seed: int
) -> Iterator[tuple[Fold, F64]]:
    """Of each fold the scores of all rows [n], not numbers where their session was not held."""
    for fold in folds:
        score = method(data, ~fold.held, config, seed)
        rows = data.of(fold.held)
        found = np.full(len(rows), np.nan)
        found[rows] = score(data.transitions[rows], data.stats[rows])
        yield fold, found


def together(found: Sequence[F64]) -> F64:
    """One score a row [n] of folds that hold every session once."""
    whole = np.full(len(found[0]), np.nan)
    for part in found:
        whole = np.where(np.isnan(part), whole, part)
    return whole


def _both(data: Prefixes, sessions: Flags) -> bool:
    return len(np.unique(data.agent[sessions])) == 2
