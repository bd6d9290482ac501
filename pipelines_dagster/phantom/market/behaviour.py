# SPDX-License-Identifier: Apache-2.0
"""How visitors of each class act: their kernels, and a bank of sessions sampled from them.

A step of the market needs thousands of sessions a second, so trajectories are sampled once per
class (`MarketConfig.bank` of them) and a step draws from the bank: the published engine's
"sub-sampled transition kernels". Of a trajectory the market needs what its acts weigh, how many
there are, and f(tau) by the published formula (`bls.phantom.divergence`).

The built-in kernels are drawn by hand after published descriptions of shoppers and crawlers; they
describe no real person. `behaviour_of` measures kernels on recorded sessions instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bls.errors import invalid
from bls.phantom.actions import ACTIONS, INDEX, NAMES
from bls.phantom.divergence import divergences, gap, probability
from bls.phantom.kernels import FIRST, STATES, kernel, transition_counts
from bls.phantom.session import Session
from pipelines_dagster.phantom.market.config import MarketConfig

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
HUMAN, AGENT = 0, 1

ON_ITEM = np.array([name not in ("page_view", "search", "filter_date", "filter_price", "sort",
                                 "checkout") for name in NAMES])  # fmt: skip
"""Acts that concern one item; the others are the generic states of the catalogue expansion."""
OMEGA = np.array([ACTIONS[name].value for name in NAMES])
_SPREAD = 0.01
"""Probability that the hand-drawn kernels leave to every act, so that none is impossible."""

_Rows = Mapping[str, Mapping[str, float]]
_PEOPLE: _Rows = {
    "page_view": {"hover_title": 4, "search": 2, "filter_price": 1, "view_item": 2, "page_view": 1},
    "search": {"hover_title": 4, "view_item": 3, "filter_price": 1, "search": 2},
    "filter_date": {"hover_title": 3, "view_item": 3, "filter_price": 1},
    "filter_price": {"hover_title": 4, "view_item": 3, "sort": 1},
    "sort": {"hover_title": 4, "view_item": 3},
    "hover_title": {"hover_title": 2, "hover_paragraph": 3, "view_item": 4, "page_view": 1},
    "hover_paragraph": {"view_item": 4, "hover_title": 3, "learn_more": 1, "add_item": 1},
    "hover_link": {"learn_more": 3, "view_item": 2},
    "view_item": {"hover_paragraph": 4, "learn_more": 1, "hover_link": 1, "add_item": 2,
                  "page_view": 3},
    "learn_more": {"hover_paragraph": 3, "add_item": 2, "page_view": 3},
    "add_item": {"checkout": 4, "page_view": 3, "remove": 1, "hover_title": 1},
    "remove": {"page_view": 4, "view_item": 2},
    "checkout": {"purchase": 6, "page_view": 2, "remove": 1},
    "purchase": {"page_view": 1},
}  # fmt: skip
_AGENTS: _Rows = {
    "page_view": {"search": 3, "sort": 3, "view_item": 5, "filter_price": 2, "page_view": 3},
    "search": {"sort": 4, "view_item": 5, "filter_price": 3},
    "filter_date": {"sort": 3, "view_item": 4, "filter_price": 3},
    "filter_price": {"sort": 4, "view_item": 5},
    "sort": {"view_item": 8, "page_view": 1},
    "hover_title": {"view_item": 1},
    "hover_paragraph": {"view_item": 1},
    "hover_link": {"learn_more": 2, "view_item": 3},
    "view_item": {"view_item": 10, "page_view": 4, "learn_more": 2, "sort": 1, "add_item": 1},
    "learn_more": {"view_item": 6, "page_view": 2},
    "add_item": {"checkout": 5, "remove": 2, "view_item": 2},
    "remove": {"view_item": 4, "add_item": 1},
    "checkout": {"purchase": 3, "remove": 2, "page_view": 2},
    "purchase": {"page_view": 1},
}
_FIRST = ({"page_view": 7.0, "search": 3.0}, {"page_view": 5.0, "search": 3.0, "sort": 2.0})


@dataclass(frozen=True)
class Behaviour:
    """Kernels [2, 14, 14] and laws of the first act [2, 14]: human, then agent; rows sum to 1."""

    kernels: F64
    first: F64

    def __post_init__(self) -> None:
        for name, shape in (("kernels", (2, STATES, STATES)), ("first", (2, STATES))):
            rows = getattr(self, name)
            fair = rows.shape == shape and (rows > 0).all()
            if not (fair and np.allclose(rows.sum(axis=-1), 1)):
                raise invalid("bad_behaviour", f"Behaviour: {name} are not rows of probabilities.")


@dataclass(frozen=True)
class Bank:
    """Pre-sampled sessions of both classes [2, bank].

    Attributes:
        agent: f(tau), the session's agent probability.
        weight: sum of omega over its acts on items: what it adds to the demand proxy.
        events: acts.
        looks: acts on items, each of which shows a price.
    """

    agent: F32
    weight: F32
    events: F32
    looks: F32


@cache
def built_in() -> Behaviour:
    """The hand-drawn kernels."""
    kernels = [_table(rows) for rows in (_PEOPLE, _AGENTS)]
    return Behaviour(np.stack(kernels), np.stack([_law(first) for first in _FIRST]))


def behaviour_of(people: Iterable[Session], agents: Iterable[Session]) -> Behaviour:
    """Kernels measured on sessions: smoothed MLE of their transitions and first acts.

    Raises `bad_behaviour` for a class without sessions.
    """
    kernels, first = [], []
    for sessions in (people, agents):
        counts = [transition_counts(e.action for e in each.events) for each in sessions]
        if not counts:
            raise invalid("bad_behaviour", "Behaviour needs sessions of both classes.")
        total = np.sum(counts, axis=0)
        kernels.append(kernel(total))
        first.append((total[FIRST] + _SPREAD) / (total[FIRST] + _SPREAD).sum())
    return Behaviour(np.stack(kernels), np.stack(first))


def acts(
    behaviour: Behaviour, actor: int, lengths: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int8]:
    """Trajectories i8[n, longest] of one class, -1 past each one's length."""
    rows = np.cumsum(behaviour.kernels[actor], axis=1)
    rows[:, -1] = 1.0
    begin = np.cumsum(behaviour.first[actor])
    begin[-1] = 1.0
    found = np.full((len(lengths), int(lengths.max(initial=0))), -1, np.int8)
    for place in range(found.shape[1]):
        draw = rng.random(len(lengths))[:, None]
        law = rows[found[:, place - 1]] if place else begin[None]
        found[:, place] = np.where(lengths > place, (draw >= law).sum(axis=1), -1)
    return found


def bank_of(config: MarketConfig, behaviour: Behaviour, seed: int) -> Bank:
    """Samples the bank. The same seed gives the same one."""
    made = [_sampled(config, behaviour, actor, seed) for actor in (HUMAN, AGENT)]
    return Bank(*(np.stack(column).astype(np.float32) for column in zip(*made, strict=True)))


def _sampled(
    config: MarketConfig, behaviour: Behaviour, actor: int, seed: int
) -> tuple[F64, F64, F64, F64]:
    rng = np.random.default_rng((seed, actor, 0xBA7C))
    lengths = np.maximum(2, rng.poisson(config.visits[actor], config.bank))
    found = acts(behaviour, actor, lengths, rng)
    counts = count(found)
    delta = divergences(counts, behaviour.kernels)
    agent = probability(gap(delta[:, HUMAN], delta[:, AGENT]), config.temperature)
    tally = counts.sum(axis=1)
    return agent, tally @ (OMEGA * ON_ITEM), lengths.astype(float), tally @ ON_ITEM


def count(found: NDArray[np.int8]) -> F64:
    """Transition counts [n, 15, 14] of trajectories as `acts` gives them."""
    counts = np.zeros((len(found), STATES + 1, STATES))
    sessions = np.arange(len(found))
    before = np.full(len(found), FIRST)
    for column in found.T.astype(np.int64):
        live = column >= 0
        counts[sessions[live], before[live], column[live]] += 1
        before = column
    return counts


def _table(rows: _Rows) -> F64:
    return np.stack([_law(rows[name]) for name in NAMES])


def _law(weights: Mapping[str, float]) -> F64:
    law = np.zeros(STATES)
    for name, weight in weights.items():
        law[INDEX[name]] = weight
    mixed: F64 = _SPREAD / STATES + (1 - _SPREAD) * law / law.sum()
    return mixed
