# SPDX-License-Identifier: Apache-2.0
"""Ads in memory, and an exact index over given vectors: small, and every answer known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bls.ads.records import CampaignRecord, Checked, CreativeRecord, Funds, Status
from bls.errors import SkynetError
from bls.jsonlog import Fields
from bls.keys.live import Live
from bls.select.answer import SelectAnswer, SelectRequest
from bls.select.answers import Answers
from bls.select.boards import Boards
from bls.select.caps import FrequencyCaps
from bls.select.conf import SelectorConf
from bls.select.index.protocol import F32, I32, Generation, Hits, Mask
from bls.select.lambdas import BUILT_IN, Lambda
from bls.select.selector import Selector
from bls.select.stats import SelectStats
from tests.keys.operators import Remembered

AXES = 7
NOW = 1_800_000_000.0


def campaign(name: str, advertiser: str = "", **fields: Any) -> CampaignRecord:
    """An active one; CPM 1 dollar, CPC 10 cents."""
    given: dict[str, Any] = {
        "brand": name.title(),
        "category": "shopping",
        "bid": 0.5,
        "cpm_micros": 1_000_000,
        "cpc_micros": 100_000,
        "start_ts": 0,
        "end_ts": None,
        "frequency_cap": None,
        "status": Status.ACTIVE,
    }
    return CampaignRecord(name, advertiser or f"of_{name}", **(given | fields))


class Ads:
    """`AdSource` over a dictionary; `down` makes it unreadable."""

    def __init__(self, *campaigns: CampaignRecord) -> None:
        self.records: dict[str, CampaignRecord] = {}
        self.money: dict[str, Funds] = {}
        self.down = False
        self.asked: list[tuple[str, ...]] = []
        self._seq = 0
        for one in campaigns:
            self.put(one)

    def put(self, record: CampaignRecord) -> None:
        self._seq += 1
        self.records[record.campaign_id] = replace(record, seq=self._seq)

    def campaigns(self, after: int = 0) -> Sequence[CampaignRecord]:
        self._up()
        found = [record for record in self.records.values() if record.seq > after]
        return sorted(found, key=lambda record: record.seq)

    def funds(self, advertisers: Sequence[str], now: float) -> Mapping[str, Funds]:
        self._up()
        self.asked.append(tuple(advertisers))
        return {name: self.money.get(name, Funds(None, None)) for name in advertisers}

    def creatives(self, after: int = 0, limit: int = 10_000) -> Sequence[CreativeRecord]:
        return ()

    def not_embedded(self, limit: int = 256) -> Sequence[CreativeRecord]:
        return ()

    def put_embeddings(self, made: Mapping[tuple[str, int], F32]) -> int:
        return 0

    def _up(self) -> None:
        if self.down:
            raise SkynetError("ads_unavailable", "The database cannot be read.", 503)


class Exact:
    """`Generation` that scores every row; creative `n` is `m<n>`."""

    def __init__(self, vectors: F32, campaigns: Sequence[str], axes: int = AXES) -> None:
        self.axes, self.version = axes, f"exact_{axes}"
        self.vectors = vectors
        self.campaigns = list(dict.fromkeys(campaigns))
        place = {name: number for number, name in enumerate(self.campaigns)}
        self.campaign: I32 = np.array([place[name] for name in campaigns], np.int32)
        self.alive: Mask = np.ones(len(vectors), bool)
        self.verdict: dict[int, Checked] = {}
        self.searches, self.revision = 0, 0

    @property
    def rows(self) -> int:
        return len(self.vectors)

    def record(self, row: int) -> CreativeRecord | None:
        if not self.alive[row]:
            return None
        name = self.campaigns[self.campaign[row]]
        checked = self.verdict.get(row, Checked.OK)
        return CreativeRecord(f"m{row}", name, "", f"Ad {row}", 1, checked, "", None, False)

    def search(self, ctx: F32, k: int, allowed: Mask | None = None) -> Hits:
        return self._best(ctx, 1.0, np.zeros(self.rows, np.float32), k, allowed)

    def search_scored(
        self, ctx: F32, lambda_sem: float, values: F32, k: int, allowed: Mask | None = None
    ) -> Hits:
        return self._best(ctx, lambda_sem, values, k, allowed)

    def _best(self, ctx: F32, lambda_sem: float, values: F32, k: int, allowed: Mask | None) -> Hits:
        self.searches += 1
        keep = self.alive if allowed is None else self.alive & allowed
        rows = np.flatnonzero(keep[: len(values)])
        sims = self.vectors[rows] @ ctx
        scores = np.float32(lambda_sem) * sims + np.float32(1 - lambda_sem) * values[rows]
        order = np.lexsort((rows, -scores))[:k]
        return Hits(rows[order], sims[order], scores[order])


class Indexes:
    """`Generations` by axes."""

    def __init__(self, *generations: Generation) -> None:
        self.held = {one.axes: one for one in generations}
        self.rebuilt: list[int] = []

    def generation(self, axes: int) -> Generation | None:
        return self.held.get(axes)

    def rebuild(self, p_k: F32, axes: int) -> None:
        self.rebuilt.append(axes)


class World:
    """A selector over it all; change `ads`, `conf` and `weights`, then `refresh`."""

    def __init__(self, ads: Any, *generations: Generation, axes: Sequence[int] = ()) -> None:
        self.ads, self.indexes = ads, Indexes(*generations)
        self.conf = SelectorConf(epsilon=0.0, sim_min=-1.0)
        self.weights: Live[Lambda] = Live(0, BUILT_IN, None)
        self.log, self.stats, self.now = Remembered(), SelectStats(), NOW
        self.caps = FrequencyCaps(clock=lambda: self.now)
        clock: Callable[[], float] = lambda: self.now  # noqa: E731
        self.answers = Answers(self.caps, self._write, self.stats, clock=clock)
        known = tuple(axes) or tuple(self.indexes.held)
        self.boards = Boards(
            ads, self.indexes, lambda: known, log=self.log, stats=self.stats, clock=clock
        )
        self.selector = Selector(
            ads.funds,
            self.boards,
            weights=lambda: self.weights,
            conf=lambda: self.conf,
            stats=self.stats,
            caps=self.caps,
            clock=clock,
        )
        self.boards.refresh()

    def _write(self, lines: Sequence[tuple[str, Fields]]) -> None:
        for stream, fields in lines:
            self.log.write(stream, **fields)

    def play(self, lambda_sem: float) -> None:
        value = Lambda(lambda_sem=lambda_sem, lambda_val=1 - lambda_sem)
        self.weights = Live(self.weights.version + 1, value, None)

    def ask(self, ctx: F32, ctx_id: str = "x", axes: int = AXES, **fields: Any) -> SelectAnswer:
        given = {"ctx_id": ctx_id, "conv_id": "conv", "request_id": f"r-{ctx_id}"} | fields
        request = SelectRequest(**given)
        answer = self.selector.select(request, ctx, axes)
        self.answers.keep(request, answer)
        return answer

    def confirm(self, request_id: str, *msg_ids: str, conv_id: str = "conv") -> None:
        """These creatives of an answer got a row."""
        self.answers.confirm(
            SelectRequest(ctx_id="c", conv_id=conv_id, request_id=request_id, shown=msg_ids)
        )

    def show(self, ctx: F32, ctx_id: str = "x", **fields: Any) -> list[str]:
        """The creatives of an answer, all of which get a row."""
        names = self.names(ctx, ctx_id=ctx_id, **fields)
        given = {"request_id": f"r-{ctx_id}", "conv_id": "conv"} | fields
        self.confirm(given["request_id"], *names, conv_id=given["conv_id"])
        return names

    def names(self, ctx: F32, **fields: Any) -> list[str]:
        """The creatives of an answer."""
        return [one.msg_id for one in self.ask(ctx, **fields).chosen]


def unit(generator: np.random.Generator, count: int) -> F32:
    """Random unit vectors f32 [count, 128]."""
    made = generator.normal(size=(count, 128)).astype(np.float32)
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    return made


def around(ctx: F32, sims: Sequence[float]) -> F32:
    """Unit vectors with these cosines to `ctx`."""
    aside = np.zeros_like(ctx)
    aside[int(np.abs(ctx).argmin())] = 1
    aside -= (aside @ ctx) * ctx
    aside /= np.linalg.norm(aside)
    along = np.array(sims, np.float64)[:, None]
    made: F32 = (along * ctx + np.sqrt(1 - along**2) * aside).astype(np.float32)
    return made
