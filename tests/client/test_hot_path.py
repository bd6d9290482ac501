# SPDX-License-Identifier: Apache-2.0
"""What one token costs in the gateway's own code: tensors in, one event out."""

from __future__ import annotations

import statistics
import time

from client.gateway.chunks import Chunks
from client.gateway.decode import decode
from client.gateway.events import Token
from tests.client.fake_script import ROWS, token
from tests.client.fake_wire import response

BUDGET_S = 0.5e-3
"""Half of the millisecond a token may cost; the rest is sockets. Measured: about 0.03 ms."""


def one_token(wire: object, chunks: Chunks) -> float:
    began = time.perf_counter()
    event = decode(wire)
    assert isinstance(event, Token)
    chunks.token(event, ROWS)
    return time.perf_counter() - began


def test_a_token_costs_far_less_than_a_millisecond() -> None:
    wire = response("r", token(7, " flight", winner=1).values).infer_response
    chunks = Chunks("chatcmpl-1", 1, "skynet")
    assert statistics.median(one_token(wire, chunks) for _ in range(2_000)) < BUDGET_S
