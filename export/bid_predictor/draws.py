# SPDX-License-Identifier: Apache-2.0
"""What the robustness harness tests every model on: plain predictions, false histories in their
place, and conversations in which seats really attack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bls.contracts import WINDOW
from export.bid_predictor import corrupt
from export.bid_predictor.windows import F32, F64, Windows, past_windows
from pipelines_dagster.defs.market import attacks
from pipelines_dagster.defs.market.auctions import Auctions, draw_auctions
from pipelines_dagster.defs.market.params import ATTACKS
from pipelines_dagster.defs.market.world import World, draw_world

PLAIN = "stationary"
_CONTEXTS, _ADS = 256, 320


@dataclass(frozen=True)
class Sample:
    """Predictions of one scenario; `sd` of each label's law, empty where it was not drawn."""

    windows: Windows
    sd: F64

    @property
    def irreducible(self) -> float:
        return float(np.sqrt(np.mean(self.sd**2))) if len(self.sd) else 0.0


@dataclass(frozen=True)
class Draws:
    """What every model is tested on: plain predictions with a full window, and the false histories
    that take its place; predictions of every attacked market."""

    plain: Sample
    false: Mapping[tuple[str, str], F64]  # (attack, view): [n, 15]
    markets: Mapping[str, Sample]


def draw(seed: int, conversations: int = 300, rows: int = 10_000, truth: bool = True) -> Draws:
    """`rows` predictions out of `conversations`, of the plain market and of each attacked one."""
    rng = np.random.default_rng(seed)
    world = draw_world(_CONTEXTS, _ADS, rng)
    drawn = {}
    for name in (PLAIN, *ATTACKS):
        auctions = draw_auctions(world, {name: 1.0}, conversations, rng, truth=truth)
        drawn[name] = _sample(world, auctions, WINDOW if name == PLAIN else 0, rows, rng)
    plain = drawn.pop(PLAIN)
    past = plain.windows.past
    false = {
        (name, "whole" if name == "bluff" else "history"): attacks.attacked(kind, past, rng)
        for name, kind in ATTACKS.items()
    }
    false["bluff", "history"] = corrupt.bluffs(past, rng)
    false["spike", "anywhere"] = corrupt.spikes(past, rng, most=1)
    return Draws(plain, false, drawn)


def _sample(
    world: World, auctions: Auctions, first: int, rows: int, rng: np.random.Generator
) -> Sample:
    """`rows` of the predictions from token `first` on."""
    all_rows = played(world.ctx[auctions.ctx], auctions)
    windows = all_rows.windows
    full = np.flatnonzero(windows.token_idx >= first)
    taken = np.sort(rng.permutation(full)[:rows])
    return Sample(windows.take(taken), all_rows.sd[taken] if len(all_rows.sd) else all_rows.sd)


def played(contexts: F32, auctions: Auctions) -> Sample:
    """Every prediction of some conversations whose W_-i varies; `contexts` is one row each."""
    _, steps, seats = auctions.log_w.shape
    token = np.arange(steps - 1)
    several = auctions.seated & (auctions.seated.sum(axis=1, keepdims=True) > 1)
    sold = (token < auctions.lengths[:, None])[:, :, None] & several[:, None, :]
    conv, t, seat = np.nonzero(sold)
    flat = auctions.log_w.transpose(0, 2, 1).reshape(-1)  # trajectory by trajectory
    first = (conv * seats + seat) * steps
    windows = Windows(
        contexts=contexts,
        ctx=conv,
        conversation=conv,
        past=past_windows(flat, first + t + 1, first),
        token_idx=t,
        label=flat[first + t + 1],
    )
    sd = auctions.sd[conv, t, seat] if auctions.sd.size else np.empty(0)
    return Sample(windows, sd.astype(np.float64))
