# SPDX-License-Identifier: Apache-2.0
"""`Selector`: which creatives take part in a reply (max_reward_optimizer 2.1).

Search, floor and gates (`candidates`), then the best creative of each advertiser, the best `k`
advertisers first; a reply that explores gives the first rank to one drawn from all that fit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from bls.contracts import CTX
from bls.errors import SkynetError, invalid
from bls.keys.live import Live
from bls.select.answer import Chosen, SelectAnswer, SelectRequest
from bls.select.board import Board
from bls.select.boards import Boards
from bls.select.candidates import Candidate, Found, gather
from bls.select.caps import FrequencyCaps
from bls.select.conf import SelectorConf
from bls.select.explore import explores, pick
from bls.select.gates import EVERYTHING, Gate, Gates, Ledger, shown
from bls.select.index.protocol import F32
from bls.select.lambdas import Lambda
from bls.select.stats import SelectStats

_NORM = 1e-3


class Selector:
    """Usable from several threads.

    Args:
        funds: `AdSource.funds`.
        weights: the live `/mro/lambda`.
        conf: the live `/mro/conf/selector`.
        caps: what was shown before; whoever knows what is shown adds to it (`answers`).
        clock: Unix seconds.
    """

    def __init__(
        self,
        funds: Ledger,
        boards: Boards,
        *,
        weights: Callable[[], Live[Lambda]],
        conf: Callable[[], SelectorConf],
        stats: SelectStats,
        caps: FrequencyCaps,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._funds, self._boards = funds, boards
        self._weights, self._conf = weights, conf
        self.stats = stats
        self._caps = caps
        self._clock = clock

    def select(self, request: SelectRequest, ctx: F32, axes: int) -> SelectAnswer:
        """The creatives of one reply, at most `request.k`, one an advertiser.

        Args:
            ctx: f32 [128] of unit norm, on the axes `axes`.

        Raises:
            SkynetError: `bad_ctx`; `axes_mismatch`, `index_missing`, `index_failed`;
                `ads_unavailable`: without money that can be read nothing is shown.
        """
        began = time.perf_counter()
        try:
            answer = self._select(request, self._checked(ctx), axes)
        except SkynetError as error:
            self.stats.errors.add(code=error.code)
            raise
        self._count(answer, time.perf_counter() - began)
        return answer

    def _select(self, request: SelectRequest, ctx: F32, axes: int) -> SelectAnswer:
        board, conf, weights = self._boards.of(axes), self._conf(), self._weights()
        lambda_sem = weights.value.play(request.ctx_id)
        found = Found()
        if EVERYTHING not in request.excluded:
            seen = self._caps.counts(request.conv_id)
            gates = Gates(self._funds, request.excluded, seen, self._clock())
            found = gather(board, ctx, lambda_sem, k=request.k, conf=conf, gates=gates)
        chosen = self._choose(board, found, request, conf.epsilon)
        for gate, count in found.gated.items():
            self.stats.gated.add(count, gate=gate)
        return SelectAnswer(
            chosen=chosen,
            lambda_sem=lambda_sem,
            lambda_version=weights.version,
            index=board.generation.version,
            axes=board.generation.axes,
            considered=found.considered,
            gated=found.gated.total(),
        )

    def _choose(
        self, board: Board, found: Found, request: SelectRequest, epsilon: float
    ) -> tuple[Chosen, ...]:
        fitting: Sequence[Candidate] = found.fitting
        explored = None
        if fitting and explores(request.ctx_id, epsilon):
            explored = fitting[pick(request.ctx_id, len(fitting))]
            fitting = [explored, *(one for one in fitting if one is not explored)]
        chosen: list[Chosen] = []
        for candidate in _one_each(fitting, chosen, request.k):
            made = _chosen(board, candidate, len(chosen), candidate is explored)
            if made is None:
                found.gated[Gate.CREATIVE] += 1
            else:
                chosen.append(made)
        return tuple(chosen)

    def _checked(self, ctx: F32) -> F32:
        if ctx.shape != (CTX,) or not np.isfinite(ctx).all():
            raise invalid("bad_ctx", f"CTX must be {CTX} finite numbers.", "CTX")
        self.stats.selfsim = abs(float(np.dot(ctx, ctx)) - 1)
        if self.stats.selfsim > _NORM:
            raise invalid("bad_ctx", "CTX must have norm 1.", "CTX")
        return ctx

    def _count(self, answer: SelectAnswer, seconds: float) -> None:
        stats = self.stats
        stats.answers += 1
        stats.empty += not answer.chosen
        stats.explored += any(one.explored for one in answer.chosen)
        stats.seconds += seconds
        stats.latency.took(seconds)
        stats.played.add(bucket=f"{answer.lambda_sem:.1f}")


def _one_each(
    fitting: Iterable[Candidate], chosen: Sequence[Chosen], k: int
) -> Iterable[Candidate]:
    """Those whose advertiser is not among `chosen` yet, until there are `k`."""
    for candidate in fitting:
        if len(chosen) == k:
            return
        if all(one.advertiser != candidate.advertiser for one in chosen):
            yield candidate


def _chosen(board: Board, candidate: Candidate, rank: int, explored: bool) -> Chosen | None:
    """None for a creative that may not be shown any more, or whose row is newer than the board."""
    record = board.generation.record(candidate.row)
    campaign = board.campaign(candidate.campaign)
    if record is None or campaign is None or not shown(record):
        return None
    if record.campaign_id != campaign.campaign_id:
        return None
    return Chosen(
        rank=rank,
        msg_id=record.msg_id,
        version=record.version,
        campaign_id=campaign.campaign_id,
        advertiser=campaign.advertiser,
        brand=campaign.brand,
        category=campaign.category,
        text=record.text,
        sim=candidate.sim,
        val=candidate.val,
        score=candidate.score,
        explored=explored,
        bid=campaign.bid,
        rate_micros=board.micros(campaign.campaign_id),
    )
