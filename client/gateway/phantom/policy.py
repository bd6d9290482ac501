# SPDX-License-Identifier: Apache-2.0
"""Asks the model server's `session_price` (contract `bls.contracts.SESSION_PRICE`)."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from tritonclient.grpc import service_pb2

from bls.contracts import SESSION_PRICE
from bls.errors import internal
from bls.limits import LIMITS
from bls.models.served import served_name
from bls.phantom.pricing.provider import Said
from bls.phantom.pricing.state import F32
from bls.reply.draw import conversation
from client.gateway.upstream import Triton

_MULTIPLIER, _SERVED = (tensor.name for tensor in SESSION_PRICE.outputs)


class TritonPolicy:
    """A `Policy`; the session's digest decides whether a canary answers it."""

    def __init__(self, triton: Triton, timeout_s: float = LIMITS.price_timeout_s) -> None:
        self._triton, self._timeout_s = triton, timeout_s

    async def __call__(self, states: F32, session_id: str) -> Said:
        """Raises `SkynetError`: what the model raises, `unavailable`, `deadline_exceeded`."""
        request = price_request(states, conversation(session_id))
        return read_prices(await self._triton.infer(request, self._timeout_s), len(states))


def price_request(states: F32, key: int) -> Any:
    """One page of a session: states [n, 8], its digest on every row."""
    rows = len(states)
    message = service_pb2.ModelInferRequest(model_name=SESSION_PRICE.name)
    values = (states.astype("<f4").tobytes(), np.full(rows, key, "<u8").tobytes())
    for tensor, raw in zip(SESSION_PRICE.inputs, values, strict=True):
        message.inputs.add(name=tensor.name, datatype=tensor.dtype, shape=[rows, *tensor.dims])
        message.raw_input_contents.append(raw)
    return message


def read_prices(response: Any, rows: int) -> Said:
    """Raises `internal` for anything but the contract."""
    names = [output.name for output in response.outputs]
    raw = dict(zip(names, response.raw_output_contents, strict=False))
    try:
        multipliers = struct.unpack(f"<{rows}f", raw[_MULTIPLIER])
        served, *_ = struct.unpack(f"<{rows}Q", raw[_SERVED])
    except (KeyError, ValueError, struct.error):
        raise internal() from None
    return Said(multipliers, served_name(served))
