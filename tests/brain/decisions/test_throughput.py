# SPDX-License-Identifier: Apache-2.0
"""Decisions are logged as fast as they can be made."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from bls.brain.decisions.record import STREAM, DecisionLog
from bls.jsonlog import JsonLog
from bls.limits import LIMITS
from tests.brain.decisions.deciding import decide
from tests.keys.operators import wait_until


@pytest.mark.spec("MPC-C-06")
def test_a_second_of_decisions_leaves_no_backlog(tmp_path: Path) -> None:
    """25,000 at once, eight rows a token, into the server's own queue: written soon, none lost."""
    records = decide(800)
    log = JsonLog(tmp_path, LIMITS.log_queue)
    write = DecisionLog(log)
    began = time.monotonic()
    for start in range(0, 25_000, 8):
        write(records[start % 800 : start % 800 + 8])
    assert wait_until(lambda: log.lag == 0, 60.0)
    print(f"25,000 decisions written in {time.monotonic() - began:.2f} s")
    log.close()
    assert log.dropped == 0
    with (tmp_path / STREAM).open("rb") as file:
        assert sum(1 for _ in file) == 25_000
