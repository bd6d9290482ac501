# SPDX-License-Identifier: Apache-2.0
"""The five attacks of the robustness harness (competitor_bid 2.2 I, CBP-U-05, U-06), seeded.

Two views of an attack. `windows` puts it into the history of otherwise untouched predictions: the
same targets with clean and attacked windows, which is what "RMSE increase under a spike" compares.
`series` plays whole conversations of the attacked market, targets included, with their law.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bls.brain.features import W_FLOOR
from bls.contracts import WINDOW
from bls.errors import invalid
from pipelines_dagster.defs.market.auctions import Auctions, draw_auctions
from pipelines_dagster.defs.market.params import ATTACKS, DRIFT, PUMP, SILENCE, SPIKE
from pipelines_dagster.defs.market.world import draw_world

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

TEN = float(np.log(10.0))
_CONTEXTS, _ADS = 256, 320


@dataclass(frozen=True)
class Windows:
    """n predictions of plain markets, their histories attacked.

    Attributes:
        ctx: [n, 128] context vectors.
        clean, attacked: [n, 15] windows of log W_-i, oldest first.
        target: [n] the next log W_-i, the same for both.
        token_idx: [n] its token.
        mean, sd: [n] the simulator's law of the target.
    """

    ctx: NDArray[np.float32]
    clean: F64
    attacked: F64
    target: F64
    token_idx: I64
    mean: F64
    sd: F64


@dataclass(frozen=True)
class Series:
    """Whole conversations of one scenario; see `Auctions` for shapes.

    Attributes:
        ctx: [conversations, 128].
    """

    ctx: NDArray[np.float32]
    auctions: Auctions


def windows(attack: str, count: int, seed: int, *, shift: bool = False) -> Windows:
    """`count` predictions of a stationary market with the attack written into their history.

    spike: one of the last 15 but the newest x 10. bluff: the whole history x 0.1. drift: a ramp of
    up to a factor of 2 that ends at the newest. pump: a ramp to x 5, over two tokens ago. silence:
    a stretch of at least 3 tokens at the floor, over before the newest.

    Raises:
        SkynetError: `unknown_scenario`.
    """
    kind = _kind(attack)
    rng = np.random.default_rng(np.random.SeedSequence([seed, kind]))
    plain = series("stationary", max(8, count // 64), seed, shift=shift)
    conv, t, seat = _pick(plain.auctions, count, rng)
    clean = plain.auctions.log_w[
        conv[:, None], t[:, None] + np.arange(1 - WINDOW, 1), seat[:, None]
    ]
    return Windows(
        ctx=plain.ctx[conv],
        clean=clean,
        attacked=attacked(kind, clean, rng),
        target=plain.auctions.log_w[conv, t + 1, seat],
        token_idx=t,
        mean=plain.auctions.mean[conv, t, seat].astype(np.float64),
        sd=plain.auctions.sd[conv, t, seat].astype(np.float64),
    )


def series(scenario: str, conversations: int, seed: int, *, shift: bool = False) -> Series:
    """Conversations of a scenario of `params.SCENARIOS`, an attack's name or a plain one."""
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(2)]
    world = draw_world(_CONTEXTS, _ADS, streams[0])
    auctions = draw_auctions(world, {scenario: 1.0}, conversations, streams[1], shift=shift)
    return Series(world.ctx[auctions.ctx], auctions)


def attacked(kind: int, clean: F64, rng: np.random.Generator) -> F64:
    """Windows [n, 15] with one attack of a kind each; the floor of log W_-i holds."""
    n, place = len(clean), np.arange(WINDOW)
    if kind == SPIKE:
        add = TEN * (place == rng.integers(WINDOW - 1, size=(n, 1)))
    elif kind == DRIFT:
        slope = rng.uniform(0.02, np.log(2) / WINDOW, (n, 1)) * rng.choice([-1, 1], (n, 1))
        add = slope * (place - (WINDOW - 1))
    elif kind == PUMP:
        begin = rng.integers(0, 6, (n, 1))
        ramp = np.log(5.0) * (place - begin + 1) / (WINDOW - 2 - begin)
        add = np.where((place >= begin) & (place < WINDOW - 2), ramp, 0.0)
    elif kind == SILENCE:
        begin = rng.integers(0, WINDOW - 4, (n, 1))
        silent = (place >= begin) & (place < begin + rng.integers(3, 9, (n, 1)))
        add = np.where(silent & (place < WINDOW - 1), -np.inf, 0.0)
    else:
        add = np.full_like(clean, -TEN)
    result: F64 = np.maximum(clean + add, np.log(W_FLOOR))
    return result


def _pick(auctions: Auctions, count: int, rng: np.random.Generator) -> tuple[I64, I64, I64]:
    """Conversation, token and seat of predictions whose window is full and whose W_-i varies."""
    token = np.arange(auctions.mean.shape[1])
    full = (token >= WINDOW - 1) & (token < auctions.lengths[:, None])
    varies = auctions.seated & (auctions.seated.sum(axis=1) > 1)[:, None]
    conv, t, seat = np.nonzero(full[:, :, None] & varies[:, None, :])
    chosen = rng.choice(len(conv), count, replace=count > len(conv))
    return conv[chosen], t[chosen], seat[chosen]


def _kind(attack: str) -> int:
    if attack not in ATTACKS:
        raise invalid("unknown_scenario", f"An attack is one of {', '.join(ATTACKS)}.", "scenario")
    return ATTACKS[attack]
