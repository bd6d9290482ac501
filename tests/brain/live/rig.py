# SPDX-License-Identifier: Apache-2.0
"""A brain with everything real but the models: hub, held forecasts, budgets, controller, auction.

Ads are worth what a test says; a forecast is a function of the features, as the predictor's is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bls.ads.database import open_database
from bls.ads.flight import Flight
from bls.ads.ledger import Ledger
from bls.ads.migrate import migrate
from bls.bidding import LiveBidder, Seat
from bls.brain.brain import Brain
from bls.brain.budget.budgets import Budgets
from bls.brain.curve import value_curve
from bls.brain.decisions.record import DecisionRecord
from bls.brain.features import MEAN
from bls.brain.forecast.drift import DriftMonitor
from bls.brain.forecast.health import PredictorHealth
from bls.brain.forecast.held import HeldForecast
from bls.brain.forecast.monitor import ForecastMonitor
from bls.brain.forecast.residuals import ResidualLog
from bls.brain.hub.dict_hub import DictHub
from bls.brain.opening import open_brain
from bls.brain.params import MpcParams
from bls.brain.purse import Purses
from bls.brain.services import BrainServices
from bls.brain.stats import BrainStats
from bls.brain.trajectory import Curve
from bls.brain.valuer import Values
from bls.contracts import CTX
from bls.errors import SkynetError
from bls.prelude.prelude import Prelude
from bls.prelude.stages import Context
from bls.prompt.rows import PromptRows
from bls.reply.bids import Bids
from bls.reply.outcome import Outcome
from bls.request import Message, ReplyRequest
from kernels_cuda.auction import Auction
from kernels_cuda.mpc import Mpc
from tests.bls.ads.flights import give

VOCAB = 64
UNIT = 1_000
SERVED = 0x00C0FFEE00C0FFEE
"""The predictor's version; `TVE` is the value model's."""
TVE = "1e1e1e1e1e1e1e1e"
Forecast = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def persistent(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """W_-i stays about where it was: mixtures [R, 5] around the window's mean."""
    mixture = np.tile(np.float32([0, 0.1, 0, 0.3, 0.7]), (len(features), 1))
    mixture[:, [0, 2]] = features[:, [MEAN]]
    return mixture


@dataclass
class FixedValuer:
    """Every ad is worth `v_max` (a row may have its own); `fault` is raised instead."""

    v_max: float = 2.0
    a: float = 0.6
    k_0: float = 2.0
    count: int = 12
    own: dict[int, float] = field(default_factory=dict)
    fault: SkynetError | None = None

    def values(self, ctx_vec: NDArray[np.float32], seats: Sequence[Seat], key: int) -> Values:
        if self.fault is not None:
            raise self.fault
        rows = [row for row, seat in enumerate(seats, 1) if seat.rate > 0]
        return Values(ctx_vec, {row: self._curve(row) for row in rows})

    def _curve(self, row: int) -> Curve:
        v_max = self.own.get(row, self.v_max)
        d_v, loss = value_curve(v_max, self.a, self.k_0, self.count)
        return Curve(v_max, self.a, self.k_0, 0.1, d_v, loss, self.count, TVE)


@dataclass
class Played:
    """What a reply bid, token by token: weights [T, R], and how it was asked."""

    weights: list[NDArray[np.float32]] = field(default_factory=list)
    asked: list[Bids] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def of(self, row: int) -> list[float]:
        return [float(w[row]) for w in self.weights]


class Rig:
    """One server's shared brain; `play` runs replies through it."""

    def __init__(self, tmp: Path, budgets: dict[str, int] | None = None) -> None:
        self.clock, self.wall = Clock(), Clock()
        self.params = MpcParams(horizon=3, momentum=2)
        self.valuer = FixedValuer()
        self.forecast: Forecast = persistent
        self.down = False
        self.records: list[DecisionRecord] = []
        flights = {
            name: Flight(budget_micros=micros, start=0, end=10_000)
            for name, micros in (budgets or {}).items()
        }
        self.engine = open_database(f"sqlite:///{tmp / 'budgets.db'}")
        migrate(self.engine)
        give(self.engine, flights)
        ledger = Ledger(self.engine, "server", "run", wall=self.wall)
        self.budgets = Budgets(ledger, UNIT, clock=self.clock, wall=self.wall)
        stats = BrainStats()
        self.services = BrainServices(
            params=lambda: (self.params, 1),
            hub=DictHub(clock=self.clock),
            held=HeldForecast(clock=self.clock),
            health=PredictorHealth(clock=self.clock),
            monitor=ForecastMonitor(ResidualLog(), DriftMonitor()),
            purses=Purses(self.budgets, UNIT, stats.ran_out),
            valuer=self.valuer,
            telemetry=self.records.extend,
            stats=stats,
        )
        self.mpc, self.auction = Mpc(), Auction()
        self.rng = np.random.default_rng(5)

    def close(self) -> None:
        self.services.monitor.close()
        self.auction.close()
        self.budgets.close()
        self.engine.dispose()

    def open(self, seats: Sequence[Seat], request_id: str = "r") -> Brain:
        request = ReplyRequest.model_validate(
            {
                "request_id": request_id,
                "conv_id": "c",
                "messages": (Message(role="user", content="a trip"),),
            }
        )
        prompt = PromptRows(((0,),), 1, False, 0)
        context = Context(np.eye(1, CTX, dtype=np.float32)[0], 0)
        prelude = Prelude(0.0, request.messages, tuple(seats), prompt, context)
        return open_brain(request, prelude, self.services)

    def play(self, seats: Sequence[Seat], tokens: int = 8, request_id: str = "r") -> Played:
        """A whole reply; its budgets are settled."""
        brain, bidder, played = self.open(seats, request_id), LiveBidder(seats), Played()
        for index in range(tokens):
            self.token(brain, bidder, index, played)
        brain.close(self.charges(played, len(seats)))
        return played

    def token(self, brain: Brain, bidder: LiveBidder, index: int, played: Played) -> Outcome:
        """What one BLS call to `decode_step` does, and the retry when the predictor is down."""
        bids = brain.bids(index, bidder.offers(index))
        mixture = None
        if bids.features is not None:
            if self.down:
                assert bids.without is not None
                bids = bids.without()
                self.services.health.failed()
            else:
                mixture = self.forecast(bids.features)
                self.services.health.succeeded()
        outcome = self._auction(bids, mixture)
        played.asked.append(bids)
        played.weights.append(outcome.weights)
        played.outcomes.append(outcome)
        brain.saw(index, outcome)
        return outcome

    @staticmethod
    def charges(played: Played, seats: int) -> list[int]:
        paid = np.array([outcome.pay[1:] for outcome in played.outcomes]).reshape(-1, seats)
        return [round(x * UNIT) for x in paid.sum(axis=0).tolist()]

    def _auction(self, bids: Bids, mixture: NDArray[np.float32] | None) -> Outcome:
        weights, decision = bids.weights, None
        forecast = bids.mixture if mixture is None else mixture
        if bids.control is not None:
            assert forecast is not None
            weights, decision = self.mpc.decide(forecast, bids.weights, bids.control)
        shape = (len(weights), VOCAB)
        logits = self.rng.normal(size=(1, VOCAB)) + self.rng.normal(size=shape)
        got = self.auction.run(logits.astype(np.float32), weights, 0.7, top=True)
        served = None if mixture is None else np.full(len(weights), SERVED, np.uint64)
        found = replace(Outcome.of(got, weights), decision=decision, mixture=mixture)
        return replace(found, predictor=served)


def seat(name: str, rate: float = 10.0, bid: float = 1.0) -> Seat:
    return Seat(name, "Recommend it.", bid, rate=rate)
