# SPDX-License-Identifier: Apache-2.0
"""Value regret: what is lost by looking at a few candidates instead of all.

Each context's best creatives by score, above the floor and one an advertiser, are found by scoring
everything. `similarity` takes the nearest k x factor and scores those; `selector` is what serves.
Lost is the share of the sum of scores, and of the sum of values, of what is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bls.ads.records import CampaignRecord, Funds, Status
from bls.select.board import Board, build
from bls.select.candidates import gather
from bls.select.catalogue import Snapshot
from bls.select.conf import SelectorConf
from bls.select.gates import Gates
from bls.select.index.protocol import F32, I64, Generation
from bls.select.mixer import mix, ranked
from bls.select.values import values

FACTORS = (1, 2, 4, 8, 16, 32, 64)
K = 4


class Lost(NamedTuple):
    """Shares of what scoring everything gets; `short`: creatives missing, a reply."""

    score: float
    value: float
    short: float


def board_of(generation: Generation, rng: np.random.Generator) -> Board:
    """A board whose campaigns have log-normal values, one advertiser a campaign."""
    campaigns = {name: _campaign(name, rng) for name in generation.campaigns}
    return build(generation, Snapshot(campaigns, values(campaigns.values())), now=1.0)


class Regret:
    """Args:
    vectors: f32 [rows, 128], those of the board's generation.
    contexts: f32 [n, 128].
    """

    def __init__(
        self, board: Board, vectors: F32, contexts: F32, *, lambda_sem: float, floor: float
    ) -> None:
        self._board, self._vectors, self._contexts = board, vectors, contexts
        self._lambda_sem, self._floor = lambda_sem, floor
        every = np.arange(len(vectors))
        self._best = [self._chosen(ctx, every) for ctx in contexts]

    def similarity(self, factor: int) -> Lost:
        """The nearest `K * factor` alone are scored."""
        return self._lost([self._chosen(ctx, self._near(ctx, factor)) for ctx in self._contexts])

    def selector(self, factor: int) -> Lost:
        """What serves, with that `overfetch`."""
        conf = SelectorConf(epsilon=0.0, sim_min=self._floor, overfetch=factor)
        return self._lost([self._served(ctx, conf) for ctx in self._contexts])

    def _near(self, ctx: F32, factor: int) -> I64:
        return np.argsort(-(self._vectors @ ctx), kind="stable")[: K * factor]

    def _served(self, ctx: F32, conf: SelectorConf) -> I64:
        gates = Gates(_unlimited, (), {}, 1.0)
        found = gather(self._board, ctx, self._lambda_sem, k=K, conf=conf, gates=gates)
        taken: dict[str, int] = {}
        for one in found.fitting:
            taken.setdefault(one.advertiser, one.row)
        return np.array(list(taken.values())[:K], np.int64)

    def _chosen(self, ctx: F32, rows: I64) -> I64:
        """The best of `rows`, one an advertiser, best first."""
        sims = self._vectors[rows] @ ctx
        rows, sims = rows[sims >= self._floor], sims[sims >= self._floor]
        order = rows[ranked(self._score(rows, sims), sims, rows)]
        _, first = np.unique(self._board.generation.campaign[order], return_index=True)
        best: I64 = order[np.sort(first)][:K]
        return best

    def _score(self, rows: I64, sims: F32) -> F32:
        return mix(sims, self._board.values[rows], self._lambda_sem)

    def _lost(self, made: Sequence[I64]) -> Lost:
        (all_score, all_value), (score, value) = self._total(self._best), self._total(made)
        pairs = zip(self._best, made, strict=True)
        short = float(np.mean([len(best) - len(got) for best, got in pairs]))
        return Lost(1 - score / all_score, 1 - value / all_value, short)

    def _total(self, chosen: Sequence[I64]) -> tuple[float, float]:
        pairs = zip(chosen, self._contexts, strict=True)
        scores = sum(
            float(self._score(rows, self._vectors[rows] @ ctx).sum()) for rows, ctx in pairs
        )
        return scores, float(sum(self._board.values[rows].sum() for rows in chosen))


def _unlimited(names: Sequence[str], now: float) -> Mapping[str, Funds]:
    return dict.fromkeys(names, Funds(None, None))


def _campaign(name: str, rng: np.random.Generator) -> CampaignRecord:
    cpm, cpc = (int(value) for value in rng.lognormal((15, 12), 0.8))
    return CampaignRecord(
        campaign_id=name,
        advertiser=name,
        brand=name,
        category="shopping",
        bid=0.5,
        cpm_micros=cpm,
        cpc_micros=cpc,
        start_ts=0,
        end_ts=None,
        frequency_cap=None,
        status=Status.ACTIVE,
    )
