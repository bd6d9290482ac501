# SPDX-License-Identifier: Apache-2.0
"""A bidder that fails is left alone, each time for longer, and comes back when it answers."""

from __future__ import annotations

from bls.limits import LIMITS
from bls.remote.breaker import Breaker

FIRST, MOST = LIMITS.remote_pause_s, LIMITS.remote_pause_max_s


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_pauses_double_up_to_a_bound() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    assert breaker.allows() and breaker.allows()
    pauses = []
    for _ in range(10):
        breaker.failed(tried_at=clock.now)
        began = clock.now
        while not breaker.allows():
            clock.now += FIRST / 4
        pauses.append(clock.now - began)
    assert pauses == [min(FIRST * 2.0**n, MOST) for n in range(10)]


def test_one_try_per_pause_until_it_succeeds() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    breaker.failed(tried_at=clock.now)
    clock.now += FIRST
    assert breaker.allows() and not breaker.allows()
    clock.now += FIRST
    assert breaker.allows() and not breaker.allows()
    breaker.succeeded()
    assert breaker.allows() and breaker.allows()


def test_tries_that_failed_together_count_once() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for _ in range(5):
        breaker.failed(tried_at=clock.now - 3.0)
    clock.now += FIRST
    assert breaker.allows()
