# SPDX-License-Identifier: Apache-2.0
"""The limiter: a burst, then so many a second, and no memory of everybody who ever came."""

from __future__ import annotations

import pytest

from bls.errors import SkynetError
from client.limiter import Limiter


def test_a_burst_then_the_rate() -> None:
    now = 0.0
    limiter = Limiter(200, clock=lambda: now)

    def allowed(tries: int) -> int:
        count = 0
        for _ in range(tries):
            try:
                limiter.take("alpine")
                count += 1
            except SkynetError as fault:
                assert (fault.code, fault.status) == ("rate_limited", 429)
        return count

    assert allowed(300) == 200
    now = 0.5
    assert allowed(300) == 100
    limiter.take("harbor")  # another advertiser's bucket
    now = 60.0
    assert allowed(300) == 200


def test_memory_is_bounded() -> None:
    limiter = Limiter(1, names=10, clock=lambda: 0.0)
    for number in range(1_000):
        limiter.take(f"a{number}")
    assert len(limiter._buckets) == 10
    with pytest.raises(SkynetError):
        limiter.take("a999")
