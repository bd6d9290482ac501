# SPDX-License-Identifier: Apache-2.0
"""Real lines of every stream, written by what writes them in a server."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from bls.bidding import Seat
from bls.brain.curve import value_curve
from bls.brain.decisions.record import DecisionLog
from bls.brain.feedback import Delivered, FeedbackLog
from bls.brain.forecast.residuals import Observation, ResidualLog
from bls.brain.trajectory import Curve, Trajectory
from bls.jsonlog import JsonLog
from bls.phantom.features import SessionFeatures
from bls.phantom.lines import EVENTS, PRICES, act_line, label_line, price_line
from bls.phantom.live import LiveSession
from bls.phantom.session import Quote, SessionEvent
from bls.policy.reply import STREAM as REFUSED
from bls.policy.reply import PolicyLine
from bls.reply.receipt import CURRENCY, Account
from bls.settlement.ledger import Ledger
from bls.settlement.record import ReceiptRecord, Record, TokenRecord
from bls.settlement.segments import Appender
from kernels_cuda.auction import Auction
from tests.brain.decisions.deciding import decide
from tests.settlement.workshop import Workshop

CONV, REQUEST = "conv-1", "req-1"
PLACE = {"v": 1, "conv_id": CONV, "request_id": REQUEST}
CHOSEN = PLACE | {
    "ctx_id": "ctx",
    "msg_id": "creative",
    "advertiser": "kite_meals",
    "sim": 0.5,
    "val": 2,
    "score": None,
    "lambda_sem": 0.3,
    "explored": True,
    "rank": 1,
}


def write_all(folder: Path) -> None:
    """Streams of one small conversation and one session of the shop; `click.logs` is the gateway's,
    see test_clicks."""
    ledger = Ledger(folder, failed)
    for record in records():
        ledger.put(record)
    ledger.close()
    log = JsonLog(folder, 1_000)
    DecisionLog(log)(decide(20))
    mixture = np.array([[0.0, 0.15, 0.3, 1.5, 0.9]], np.float32)
    seen = Observation(CONV, REQUEST, 3, ["kite_meals"], mixture, np.array([2.0]))
    ResidualLog(log=log).record(seen)
    FeedbackLog(log)([delivered()])
    refused = [PolicyLine(1e9, 4, "classifier", 7, 9), PolicyLine(1e9, 5, "classifier_fault")]
    log.write_many([(REFUSED, PLACE | dataclasses.asdict(one)) for one in refused])
    log.write("mro.select", **CHOSEN)
    log.close()
    write_session(folder)


def write_session(folder: Path) -> None:
    """Two acts, the second scored, a label and a price."""
    act = SessionEvent("view_item", "lis", 10**12)
    session = LiveSession("s-1", "hotel", 0, 1e9, SessionFeatures(), score=0.25, served=7)
    price = Quote("lis", 95_500_000, 10**12)
    lines = {
        EVENTS: [
            act_line(session, 1e9, "e-1", act, raw_action="view-item", meta="", scored=False),
            act_line(session, 1e9, "e-2", act, raw_action="view_item", meta="{}", scored=True),
            label_line(session, 1e9, "~1"),
        ],
        PRICES: [
            price_line(
                session,
                1e9,
                "q-1",
                price,
                base_micros=95_500_000,
                currency="EUR",
                policy="",
                version="",
            )
        ],
    }
    for stream, bodies in lines.items():
        appender = Appender(folder, stream, 1 << 20)
        appender.add(bodies)
        appender.write()
        appender.close()


def records(replies: int = 2, tokens: int = 8) -> list[Record]:
    """Replies with a dropped row in them: its numbers are not finite."""
    made: list[Record] = []
    with Auction() as auction:
        for mode in ("argmax", "sample")[:replies]:
            shop = Workshop(np.random.default_rng(3), auction, mode=mode)
            head = shop.head()
            head = dataclasses.replace(head, seed=2**64 - 1, conv_id=f"conv-{mode}")
            found = [shop.token(head, index) for index in range(tokens)]
            logits = np.random.default_rng(4).normal(size=(4, 200)).astype(np.float32)
            logits[2, 5] = np.nan
            weights = found[0].weights
            broken = shop.outcome(head, tokens, logits, weights)
            found.append(TokenRecord(head, 1e9, tokens, weights, broken))
            made += [*found, receipt(head, found)]
    return made


def receipt(head: object, tokens: list[TokenRecord]) -> ReceiptRecord:
    """A receipt with every field that a reply's has."""
    first = tokens[0].head
    account = Account(
        [Seat(name, "ad", 1.0) for name in first.advertisers],
        first.charge_rule,
        first.micros_per_weight,
    )
    for token in tokens:
        account.add(token.outcome)
    fields = {
        "request_id": first.request_id,
        "conv_id": first.conv_id,
        "model": "skynet",
        "finish_reason": "length",
        "prompt_tokens": 12,
        "completion_tokens": account.tokens,
        "sponsored_tokens": account.sponsored,
        "charge_rule": account.rule,
        "currency": CURRENCY,
        "micros_per_weight": account.micros_per_weight,
        "total_micros": account.total_micros,
        "lines": account.lines(),
        "disclosure": None,
    }
    return ReceiptRecord(1e9, fields)


def delivered() -> Delivered:
    d_v, loss = value_curve(2.0, 0.6, 2.0, 12)
    curve = Curve(2.0, 0.6, 2.0, 0.1, d_v, loss, 12)
    trajectory = Trajectory(1, "kite_meals", 10.0, curve, won=4, plan=2)
    vector = np.random.default_rng(1).normal(size=128).astype(np.float32)
    return Delivered(CONV, REQUEST, trajectory, "Try a kite.", vector, "0123456789abcdef")


def failed(fault: Exception) -> None:
    raise AssertionError(fault)
