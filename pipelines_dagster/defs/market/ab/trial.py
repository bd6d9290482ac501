# SPDX-License-Identifier: Apache-2.0
"""What both arms of an experiment play on: conversations, their competition, ads to choose from.

Our advertiser holds seat 0. The others' bids do not react to it (an assumption), so that W_-i is
the same series whatever an arm does, and the arms' difference is theirs alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bls.brain.features import log_weight
from pipelines_dagster.defs.market import readers
from pipelines_dagster.defs.market.auctions import LONGEST, SHORTEST, draw_seats
from pipelines_dagster.defs.market.law import law
from pipelines_dagster.defs.market.process import advance, log_bids, opening, others
from pipelines_dagster.defs.market.traits import F64, I64
from pipelines_dagster.defs.market.world import World, draw_world

F32 = NDArray[np.float32]

CANDIDATES = 6
"""Creatives that fit a conversation more or less; half are among its best."""
_CONTEXTS, _ADS, _BEST = 96, 320, 12


@dataclass(frozen=True)
class Trial:
    """n conversations.

    Attributes:
        ctx: [n] contexts; ad: [n, CANDIDATES] creatives, the first one ours where one is given.
        cosine: [n, CANDIDATES].
        price: [n, CANDIDATES] value of a unit of response, in weight units.
        curve: truth, fields [n, CANDIDATES]; tokens: [n, CANDIDATES] length of each.
        lengths: [n] tokens of the reply.
        log_w: [n, LONGEST + 1] that seat 0 faces, the opening first.
        mixture: [n, LONGEST, 5] what is believed of it, from token 0 on: the law, if asked for,
            or what `models.believe` puts there; empty otherwise.
    """

    world: World
    ctx: I64
    ad: I64
    cosine: F64
    price: F64
    curve: readers.Curve
    tokens: I64
    lengths: I64
    log_w: F64
    mixture: F32

    def __len__(self) -> int:
        return len(self.ctx)


def draw_trial(scenario: str, count: int, seed: int, *, with_law: bool = False) -> Trial:
    """`count` conversations of a scenario, fixed by the seed with or without the law."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence([seed, 2]).spawn(3)]
    world = draw_world(_CONTEXTS, _ADS, streams[0])
    seats = draw_seats(world, {scenario: 1.0}, count, streams[1])
    log_w, mixture = [], []
    state = opening(seats.traits, streams[1])
    for t in range(-1, LONGEST):
        w = others(np.exp(log_bids(seats.traits, state)), seats.traits.seated)[:, 0]
        log_w.append(log_weight(w))
        if with_law and t + 1 < LONGEST:
            mixture.append(law(seats.traits, state).mixture[:, 0])
        state = advance(seats.traits, state, streams[1])
    ad = _candidates(world, streams[2])[seats.ctx]
    cosine = np.einsum("nd,nkd->nk", world.ctx[seats.ctx], world.ad[ad]).astype(np.float64)
    words = [world.words[i] for i in ad.ravel()]
    flat = readers.curves(cosine.ravel(), words, world.scale)
    return Trial(
        world=world,
        ctx=seats.ctx,
        ad=ad,
        cosine=cosine,
        price=readers.price(world.cpm[ad], world.cpc[ad]),
        curve=readers.Curve(**{n: v.reshape(ad.shape) for n, v in vars(flat).items()}),
        tokens=np.array([w.tokens for w in words]).reshape(ad.shape),
        lengths=streams[2].integers(SHORTEST, LONGEST + 1, count),
        log_w=np.stack(log_w, axis=1),
        mixture=np.stack(mixture, axis=1) if mixture else np.zeros((count, 0, 5), np.float32),
    )


def _candidates(world: World, rng: np.random.Generator) -> I64:
    """[contexts, CANDIDATES] distinct creatives in random order."""
    rank = (-world.ctx @ world.ad.T).argsort(axis=1)
    best = rng.permuted(rank[:, :_BEST], axis=1)[:, : CANDIDATES // 2]
    rest = rng.permuted(rank[:, _BEST:], axis=1)[:, : CANDIDATES - CANDIDATES // 2]
    return rng.permuted(np.concatenate([best, rest], axis=1), axis=1)
