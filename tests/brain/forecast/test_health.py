# SPDX-License-Identifier: Apache-2.0
"""The circuit around `bid_predictor`: one failure opens it, a probe closes it."""

from __future__ import annotations

import threading

from bls.brain.forecast.health import PredictorHealth
from bls.limits import LIMITS
from tests.brain.clock import Clock

PAUSE = LIMITS.remote_pause_s


class Probe:
    """Fails until told otherwise."""

    def __init__(self) -> None:
        self.tries = 0
        self.well = False

    def __call__(self) -> None:
        self.tries += 1
        if not self.well:
            raise RuntimeError("still away")


def test_a_probe_not_a_reply_tries_again() -> None:
    clock, probe = Clock(), Probe()
    health = PredictorHealth(probe, clock, start=lambda work: work())
    assert health.allows()
    health.failed()
    assert not health.allows() and probe.tries == 0 and health.is_open == 1
    clock.pass_by(PAUSE)
    assert not health.allows() and probe.tries == 1
    clock.pass_by(PAUSE)
    assert not health.allows() and probe.tries == 1, "the pause has doubled"
    clock.pass_by(PAUSE)
    probe.well = True
    assert not health.allows() and probe.tries == 2, "the reply that starts the probe does not wait"
    assert health.allows() and health.is_open == 0
    assert health.opened == 1


def test_one_probe_at_a_time() -> None:
    clock, probe, waiting = Clock(), Probe(), []
    health = PredictorHealth(probe, clock, start=waiting.append)
    health.failed()
    for _ in range(5):
        clock.pass_by(10 * PAUSE)
        assert not health.allows()
    assert len(waiting) == 1
    probe.well = True
    waiting[0]()
    assert health.allows()


def test_failures_that_were_under_way_together_count_once() -> None:
    clock = Clock()
    health = PredictorHealth(clock=clock)
    for _ in range(20):
        health.failed()
    clock.pass_by(PAUSE)
    assert health.allows() and health.opened == 1


def test_without_a_probe_one_reply_per_pause_tries() -> None:
    clock = Clock()
    health = PredictorHealth(clock=clock)
    health.failed()
    clock.pass_by(PAUSE)
    assert [health.allows() for _ in range(3)] == [True, False, False]
    health.failed()
    clock.pass_by(PAUSE)
    assert not health.allows()
    clock.pass_by(PAUSE)
    assert health.allows()
    health.succeeded()
    assert all(health.allows() for _ in range(3))


def test_a_probe_runs_on_a_thread_of_its_own() -> None:
    clock, done, names = Clock(), threading.Event(), []

    def probe() -> None:
        names.append(threading.current_thread().name)
        done.set()

    health = PredictorHealth(probe, clock)
    health.failed()
    clock.pass_by(PAUSE)
    assert not health.allows()
    assert done.wait(5) and names == ["predictor-probe"]
