# SPDX-License-Identifier: Apache-2.0
"""Enough fitting creatives for one reply, fetched by score and, where that is not enough, by
similarity.

Score order of an exact search is the order of all creatives, so as soon as the fetched ones that
fit have `k` advertisers among them, no creative that was not fetched belongs among the best `k`.
Too few: most of what scores high lies under the floor or behind a gate. Then the nearest are
fetched too; once they reach down to the floor, every creative above it has been seen. Until one of
the two holds the search is widened, up to `fetch_max`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from bls.select.board import Board
from bls.select.conf import SelectorConf
from bls.select.gates import Gate, Gates
from bls.select.index.protocol import F32, Hits
from bls.select.mixer import mix, ranked

WIDER = 4


class Candidate(NamedTuple):
    """One creative that fits; `campaign` is an id."""

    row: int
    campaign: str
    advertiser: str
    sim: float
    val: float
    score: float


@dataclass
class Found:
    """Attributes:
    fitting: best first.
    gated: by gate, of the `considered` creatives.
    whole: nothing that was not fetched could have changed the best.
    """

    fitting: list[Candidate] = field(default_factory=list)
    considered: int = 0
    gated: Counter[Gate] = field(default_factory=Counter)
    whole: bool = False

    @property
    def advertisers(self) -> int:
        return len({candidate.advertiser for candidate in self.fitting})


def gather(
    board: Board, ctx: F32, lambda_sem: float, *, k: int, conf: SelectorConf, gates: Gates
) -> Found:
    """What fits. Raises `index_failed`, `ads_unavailable`."""
    count = min(k * conf.overfetch, conf.fetch_max)
    while True:
        scored = board.generation.search_scored(ctx, lambda_sem, board.values, count, board.allowed)
        found = _fitting(board, [scored], lambda_sem, conf, gates)
        if found.advertisers >= k or len(scored.rows) < count:
            found.whole = True
            return found
        near = board.generation.search(ctx, count, board.allowed)
        found = _fitting(board, [scored, near], lambda_sem, conf, gates)
        found.whole = len(near.rows) < count or bool(near.sims[-1] < conf.sim_min)
        if found.whole or count >= conf.fetch_max:
            return found
        count = min(count * WIDER, conf.fetch_max)


def _fitting(
    board: Board, hits: Sequence[Hits], lambda_sem: float, conf: SelectorConf, gates: Gates
) -> Found:
    rows, first = np.unique(np.concatenate([one.rows for one in hits]), return_index=True)
    sims = np.concatenate([one.sims for one in hits])[first]
    known = rows < len(board.values)  # not those that were added since the last look
    rows, sims = rows[known], sims[known]
    near = sims >= np.float32(conf.sim_min)
    found = Found(considered=len(rows))
    found.gated[Gate.SIMILARITY] = int(len(rows) - near.sum())
    rows, sims = rows[near], sims[near]
    val = board.values[rows]
    score = mix(sims, val, lambda_sem)
    names = [board.names[place] for place in board.row_of[rows].tolist()]
    why = gates.judge({name: board.campaign(name) for name in set(names)})
    for place in ranked(score, sims, rows).tolist():
        campaign = board.campaign(names[place])
        gate = why[names[place]]
        if gate is not None or campaign is None:
            found.gated[gate or Gate.CAMPAIGN] += 1
            continue
        numbers = (float(sims[place]), float(val[place]), float(score[place]))
        row = int(rows[place])
        found.fitting.append(Candidate(row, names[place], campaign.advertiser, *numbers))
    return found
