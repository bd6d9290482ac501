# SPDX-License-Identifier: Apache-2.0
"""Conversations' bid series: what `bids.parquet` holds, and its truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bls.brain.features import log_weight
from pipelines_dagster.defs.market.law import law
from pipelines_dagster.defs.market.params import SCENARIOS, Bidders, shifted
from pipelines_dagster.defs.market.process import advance, log_bids, opening, others
from pipelines_dagster.defs.market.schema import BIDS, BIDS_TRUTH
from pipelines_dagster.defs.market.traits import F64, Bool, Traits, draw_traits
from pipelines_dagster.defs.market.world import I64, World, seat

SHORTEST, LONGEST = 24, 64
"""Tokens of a conversation's reply."""
TOKEN_S = 0.02
"""Seconds between tokens."""
START = 1735689600.0
"""2025-01-01, Unix seconds."""
_GAP_S = 20.0


@dataclass(frozen=True)
class Auctions:
    """n conversations, t = -1 .. LONGEST - 1 on the second axis.

    Attributes:
        ctx: [n] contexts; advertiser: [n, SEATS] who sits where; lengths: [n] tokens.
        bids, log_w: [n, LONGEST + 1, SEATS].
        mean, sd: the law's, f32 [n, LONGEST, SEATS] from token 0 on.
        regime: [n, LONGEST + 1] 1 a hot market, + 2 while an attack is under way.
    """

    scenario: list[str]
    ctx: I64
    advertiser: I64
    lengths: I64
    seated: Bool
    bids: F64
    log_w: F64
    mean: NDArray[np.float32]
    sd: NDArray[np.float32]
    regime: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.ctx)


def draw_auctions(
    world: World,
    mix: dict[str, float],
    count: int,
    rng: np.random.Generator,
    *,
    shift: bool = False,
    truth: bool = True,
) -> Auctions:
    """`count` conversations of a mix of scenarios.

    Args:
        shift: parameters outside the training ranges.
        truth: compute the law too; without it `mean` and `sd` are empty.
    """
    seats = draw_seats(world, mix, count, rng, shift=shift)
    traits = seats.traits
    bids, log_w, mean, sd, regime = zip(*_series(traits, rng, truth), strict=True)
    return Auctions(
        seats.scenario,
        seats.ctx,
        seats.advertiser,
        rng.integers(SHORTEST, LONGEST + 1, count),
        traits.seated,
        np.stack(bids, axis=1),
        np.stack(log_w, axis=1),
        np.stack(mean[:-1], axis=1),
        np.stack(sd[:-1], axis=1),
        np.stack(regime, axis=1),
    )


@dataclass(frozen=True)
class Seats:
    """Who meets where, and how they bid: n conversations, sorted by scenario."""

    scenario: list[str]
    ctx: I64
    advertiser: I64
    traits: Traits


def draw_seats(
    world: World,
    mix: dict[str, float],
    count: int,
    rng: np.random.Generator,
    *,
    shift: bool = False,
) -> Seats:
    """`count` conversations of a mix of scenarios, before the first bid."""
    scenario = sorted(str(name) for name in rng.choice(list(mix), count, p=list(mix.values())))
    parts = []
    for name in sorted(set(scenario)):
        bidders = _bidders(name, shift)
        parts.append(draw_traits(bidders, scenario.count(name), rng))
    affinity = np.array([_bidders(name, shift).affinity for name in scenario])
    ctx = rng.integers(len(world.ctx), size=count)
    advertiser, fit = seat(world, ctx, rng)
    drawn = Traits.join(parts)
    traits = replace(drawn, level=drawn.level + affinity[:, None] * fit)
    return Seats(scenario, ctx, advertiser, traits)


Step = tuple[F64, F64, NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]


def _series(traits: Traits, rng: np.random.Generator, truth: bool) -> Iterator[Step]:
    """Per token: bids, log W_-i, mean and sd of the NEXT log W_-i, regime."""
    state = opening(traits, rng)
    nothing = np.zeros((len(traits), 0), np.float32)
    for t in range(-1, LONGEST):
        bids = np.exp(log_bids(traits, state))
        ahead = law(traits, state) if truth and t + 1 < LONGEST else None
        regime = (state.hot + 2 * (state.age >= 0)).astype(np.uint8)
        mean, sd = (ahead.mean, ahead.sd) if ahead else (nothing, nothing)
        yield bids, log_weight(others(bids, traits.seated)), mean, sd, regime
        state = advance(traits, state, rng)


def tables(
    auctions: Auctions, world: World, seed: int, first: int, start: F64
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows of `bids` and of its truth, conversation by conversation, in token order.

    Args:
        first: number of the first conversation, part of `conv_id`.
        start: [n] Unix seconds of each conversation's opening.
    """
    token = np.arange(-1, LONGEST)
    keep = (token[:, None] < auctions.lengths[:, None, None]) & auctions.seated[:, None, :]
    conv, place, seats = np.nonzero(keep)
    names = np.array([f"sim_{seed}_{first + i}" for i in range(len(auctions))])
    index = token[place]
    key = pl.DataFrame(
        {
            "conv_id": names[conv],
            "advertiser": np.array(world.advertisers)[auctions.advertiser[conv, seats]],
            "ctx_id": auctions.ctx[conv],
            "token_idx": index,
            "ts": start[conv] + (index + 1) * TOKEN_S,
            "log_w": auctions.log_w[conv, place, seats],
        }
    )
    after = index >= 0
    conv, place, seats = conv[after], place[after], seats[after]
    truth = key.filter(pl.col("token_idx") >= 0).select(
        "conv_id",
        "advertiser",
        "token_idx",
        mean_log_w=pl.Series(auctions.mean[conv, place - 1, seats]),
        sd_log_w=pl.Series(auctions.sd[conv, place - 1, seats]),
        regime=pl.Series(auctions.regime[conv, place]),
        scenario=pl.Series(np.array(auctions.scenario)[conv]),
    )
    return key.cast(pl.Schema(BIDS)), truth.cast(pl.Schema(BIDS_TRUTH))


def starts(count: int, rng: np.random.Generator) -> F64:
    """[count] rising Unix seconds at which conversations open."""
    result: F64 = START + rng.exponential(_GAP_S, count).cumsum()
    return result


def _bidders(name: str, shift: bool) -> Bidders:
    return shifted(SCENARIOS[name]) if shift else SCENARIOS[name]
