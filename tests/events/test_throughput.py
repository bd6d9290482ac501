# SPDX-License-Identifier: Apache-2.0
"""Telemetry at a steady rate leaves no backlog; feedback of every hosted ad arrives."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bls.brain.decisions.record import DecisionLog
from bls.brain.feedback import STREAM, FeedbackLog
from bls.events.relay.relay import RelayOptions
from bls.jsonlog import JsonLog
from tests.brain.decisions.deciding import decide
from tests.brain.live.rig import Rig, seat
from tests.events.spool import LiveRelay
from tests.events.tansu import TestBroker, eventually


@pytest.fixture(scope="module")
def broker() -> Iterator[TestBroker]:
    with TestBroker() as broker:
        yield broker


@pytest.mark.spec("MPC-C-06")
def test_decisions_at_a_steady_rate_leave_no_backlog(tmp_path: Path, broker: TestBroker) -> None:
    """The rate is a small machine's; `python -m bls.events.bench` measures the most there is."""
    stream, rate, seconds = "mpc.decisions", 2_000, 3
    records, log = decide(200), JsonLog(tmp_path, 4_096)
    write = DecisionLog(log)
    with LiveRelay(RelayOptions(tmp_path, broker.address, (stream,))) as live:
        began, written, worst = time.monotonic(), 0, 0
        while (passed := time.monotonic() - began) < seconds:
            while written < passed * rate:
                write(records)
                written += len(records)
            worst = max(worst, live.stats.lag_records.get(stream, 0))
            time.sleep(0.02)
        log.close()
        eventually(lambda: live.stats.sent[stream] == written, 30)
        eventually(lambda: live.stats.lag_bytes[stream] == 0)
    took = time.monotonic() - began
    print(f"{written} decisions in {took:.1f} s, at most {worst} waited, none in the end")
    assert log.dropped == live.stats.dropped[stream] == 0
    assert live.stats.lag_records[stream] == 0


@pytest.mark.spec("TVE-I-02")
def test_feedback_of_every_hosted_ad_arrives(tmp_path: Path, broker: TestBroker) -> None:
    log, rig = JsonLog(tmp_path / "logs", 1_000), Rig(tmp_path)
    rig.services = dataclasses.replace(rig.services, feedback=FeedbackLog(log))
    pair = (seat("a"), seat("b"))
    for number in range(40):
        rig.play(pair, tokens=6, request_id=f"r{number}")
    log.close()
    rig.close()
    with LiveRelay(RelayOptions(tmp_path / "logs", broker.address, (STREAM,))) as live:
        eventually(lambda: live.stats.sent[STREAM] == 80)
    events = [event for _, event in broker.messages(STREAM)]
    assert len({event["event_id"] for event in events}) == len(events) == 80
    for event in events:
        assert event["advertiser"] == {1: "a", 2: "b"}[event["row"]]
        assert event["count"] == 12 and 0 <= event["delivered"] <= 6
        assert len(event["ctx_vec"]) == 128 and event["creative"] == "Recommend it."
    won = {event["event_id"]: event["delivered"] for event in events}
    assert sum(won.values()) > 0
