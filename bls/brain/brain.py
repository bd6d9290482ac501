# SPDX-License-Identifier: Apache-2.0
"""The bidding brain of one reply: what each row brings to a token, and what it learns from it.

    bids(t): forecast asked for (or held), value left, budget, parameters  ->  Bids
    saw(t):  W_-i into the windows, ads advanced, purses charged, telemetry

A reply without a hosted campaign has fixed bids only and costs nothing here. Nothing in it waits:
no forecast means the last one for five minutes, then the cautious bid (competitor_bid S-02).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bls.bidding import Offers, Seat
from bls.brain.controls import Controls
from bls.brain.decisions.record import DecisionRecord, Place, Worth
from bls.brain.feedback import Delivered
from bls.brain.forecast.residuals import Observation
from bls.brain.params import MpcParams
from bls.brain.purse import Purse
from bls.brain.services import BrainServices
from bls.brain.trajectory import Trajectory
from bls.brain.valuer import Values
from bls.contracts import FEATURES, Control, Decision
from bls.errors import SkynetError
from bls.models.served import served_name
from bls.reply.bids import Bids, Weights
from bls.reply.outcome import Outcome

F64 = NDArray[np.float64]
_MIXTURE = 5


@dataclass
class Brain:
    """One per reply; only the reply's own thread calls it.

    Args:
        conv_id: names the windows while the reply lives.
        purses: one a seat.
        values: what the ads are worth here; None when nobody could say.
        score: f(tau) of the chat's shop session now; None when there is none.

    Attributes:
        discounted: rows whose value was discounted for a token at least.
    """

    services: BrainServices
    conv_id: str
    request_id: str
    w_ref: float
    rule: str
    seats: Sequence[Seat]
    purses: Sequence[Purse]
    values: Values | None
    score: Callable[[], float | None] = lambda: None
    discounted: set[int] = field(init=False, default_factory=set)
    trajectories: list[Trajectory] = field(init=False)
    params: MpcParams = field(init=False)
    version: int = field(init=False)
    _asked: list[Trajectory] = field(init=False, default_factory=list)
    _brought: Bids = field(init=False)
    _began: float = field(init=False, default=0.0)
    _controls: Controls = field(init=False)

    def __post_init__(self) -> None:
        self.params, self.version = self.services.params()
        self.trajectories = self._trajectories()
        self._controls = Controls(self.w_ref)
        total = sum(seat.bid for seat in self.seats)
        self._open({t.advertiser: total - self.seats[t.row - 1].bid for t in self.trajectories})

    @property
    def left(self) -> bool:
        """Every controlled ad is over, and there was one."""
        return bool(self.trajectories) and all(t.gone for t in self.trajectories)

    def bids(self, index: int, offers: Offers) -> Bids:
        """What the rows bring to token `index`."""
        self.params, self.version = self.services.params()
        weights = np.array([self.w_ref, *self._fixed(offers)], np.float32)
        self._asked = [t for t in self.trajectories if offers.controlled[t.row - 1] and not t.gone]
        if not self._asked:
            return Bids(weights)
        self._began = time.monotonic()
        self._discount(self.params.dials.discount(self.score()))
        asked = [(t, self.purses[t.row - 1]) for t in self._asked]
        controls = self._controls.rows(len(weights), self.params, asked)

        def without() -> Bids:
            return self._held(weights, controls)

        if not self.services.health.allows():
            return without()
        features = np.zeros((len(weights), FEATURES), np.float32)
        try:
            found = self.services.hub.features(self.conv_id, [t.advertiser for t in self._asked])
        except SkynetError:  # the token before took longer than a window lives
            return without()
        features[[t.row for t in self._asked]] = found
        self._brought = Bids(weights, controls, features=features, without=without)
        return self._brought

    def saw(self, index: int, outcome: Outcome) -> None:
        """Token `index` was delivered."""
        charges = outcome.charges(self.rule).tolist()
        for row, purse in enumerate(self.purses, start=1):
            purse.pay(charges[row], self._pace(row, outcome))
        if not self.trajectories:
            return
        services, asked = self.services, self._asked
        w_minus = {t.advertiser: float(outcome.w_minus[t.row]) for t in self.trajectories}
        if outcome.decision is not None:
            services.telemetry(self._records(index, outcome))
        if outcome.mixture is not None:
            rows, names = [t.row for t in asked], [t.advertiser for t in asked]
            mixture = outcome.mixture[rows]
            services.held.remember(self.conv_id, names, mixture)
            versions = [_versions(outcome)[row] for row in rows]
            seen = Observation(
                self.conv_id,
                self.request_id,
                index,
                names,
                mixture,
                outcome.w_minus[rows],
                predictors=versions,
            )
            services.monitor.observe(seen)
        self._advance(outcome)
        try:
            services.hub.push(self.conv_id, index, w_minus)
        except SkynetError:  # expired meanwhile
            self._open(w_minus)
            services.hub.push(self.conv_id, index, w_minus)

    def _discount(self, discount: float) -> None:
        """Of every ad that is bid for now."""
        losses = self.params.dials.losses(discount)
        for trajectory in self._asked:
            trajectory.discount, trajectory.loss_discount = discount, losses
            if discount < 1:
                self.discounted.add(trajectory.row)

    def _pace(self, row: int, outcome: Outcome) -> float:
        """What the row's weight was paced by; 1 for one that the controller did not decide."""
        if outcome.decision is None or self._brought.control is None:
            return 1.0
        decided = self._brought.control[row, Control.CONTROLLED] == 1
        return float(outcome.decision[row, Decision.PACE]) if decided else 1.0

    def close(self, charges: Sequence[int]) -> None:
        """The reply ended and costs `charges`, micro-dollars a seat: budgets are settled."""
        for purse, micros in zip(self.purses, charges, strict=True):
            purse.settle(micros)
        if self.trajectories:
            self.services.feedback(self._delivered())
            self.services.hub.close(self.conv_id)

    def _delivered(self) -> list[Delivered]:
        """What became of each ad."""
        values, here = self.values, (self.conv_id, self.request_id)
        if values is None:
            return []
        return [
            Delivered(*here, t, self.seats[t.row - 1].ad_prompt, values.ctx_vec, t.curve.tve)
            for t in self.trajectories
        ]

    def _open(self, w_minus: Mapping[str, float]) -> None:
        """New windows that begin with these W_-i."""
        if self.trajectories and self.values is not None:
            self.services.hub.open(self.conv_id, self.values.ctx_vec, w_minus)

    def _records(self, index: int, outcome: Outcome) -> list[DecisionRecord]:
        """One a row that was asked, as the controller got and gave it."""
        brought, decision = self._brought, outcome.decision
        mixture = outcome.mixture if outcome.mixture is not None else brought.mixture
        if brought.control is None or mixture is None or decision is None:
            return []
        now, took = time.time(), (time.monotonic() - self._began) * 1e3
        versions = _versions(outcome)
        records = []
        for t in self._asked:
            place = Place(self.conv_id, self.request_id, index, t.row, t.advertiser, now)
            curve = t.curve
            worth = Worth(curve.v_max, curve.a, curve.k_0, t.rate, t.won, curve.count)
            made = DecisionRecord.of(
                place,
                worth,
                mixture[t.row],
                brought.control[t.row],
                decision[t.row],
                weight=float(outcome.weights[t.row]),
                bid=float(brought.weights[t.row]),
                params_version=self.version,
                latency_ms=round(took, 3),
                path=self.services.path,
                predictor=versions[t.row],
                tve=curve.tve,
                discount=t.discount,
                loss_discount=t.loss_discount,
            )
            records.append(made)
        return records

    def _advance(self, outcome: Outcome) -> None:
        stats = self.services.stats
        abandoned = delivered = refused = 0
        for trajectory in self.trajectories:
            was_there = not trajectory.gone
            abandoned += trajectory.saw(outcome)
            delivered += was_there and trajectory.won == trajectory.curve.count
        if outcome.decision is not None:
            refused = sum(outcome.decision[t.row, Decision.METHOD] < 0 for t in self._asked)
        with stats.lock:
            stats.decisions += len(self._asked) if outcome.decision is not None else 0
            stats.abandoned += abandoned
            stats.delivered += delivered
            stats.refused += int(refused)

    def _trajectories(self) -> list[Trajectory]:
        if self.values is None:
            return []
        return [
            Trajectory(row, seat.advertiser, seat.rate, curve)
            for row, seat in enumerate(self.seats, start=1)
            if (curve := self.values.curves.get(row)) is not None
        ]

    def _fixed(self, offers: Offers) -> list[float]:
        """Bids of the rows that are not controlled, never above what their purse holds.

        A controlled row has 0 here: what it bids once its ad is over.
        """
        known = {t.row for t in self.trajectories}
        fixed = []
        for row, (bid, controlled) in enumerate(zip(*offers, strict=True), start=1):
            wanted = bid
            if controlled:  # 0, or cautious where the ad could not be valued
                wanted = 0.0 if row in known else min(bid, self.params.cautious_bid)
            fixed.append(self.purses[row - 1].allow(wanted))
        return fixed

    def _held(self, weights: Weights, controls: F64) -> Bids:
        """The same without the predictor: forecasts held, or cautious fixed bids."""
        rows = [t.row for t in self._asked]
        recalled = self.services.held.recall(self.conv_id, [t.advertiser for t in self._asked])
        mixture = np.zeros((len(weights), _MIXTURE), np.float32)
        mixture[rows] = recalled
        blind = [t for t in self._asked if np.isnan(mixture[t.row]).any()]
        weights, controls = weights.copy(), controls.copy()
        for trajectory in blind:
            row = controls[trajectory.row]
            funded = row[Control.BUDGET_LEFT] > 0 and row[Control.TIME_LEFT] > 0
            cautious = self.params.cautious_bid if funded else 0.0
            weights[trajectory.row] = min(cautious, row[Control.W_MAX])
            mixture[trajectory.row] = 0
            row[Control.CONTROLLED] = 0
        self._brought = Bids(weights, controls, mixture=mixture)
        return self._brought


def _versions(outcome: Outcome) -> list[str]:
    """The predictor behind each row's forecast, empty where none was asked."""
    if outcome.predictor is None:
        return [""] * len(outcome.weights)
    return [served_name(number) for number in outcome.predictor.tolist()]
