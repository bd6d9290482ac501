# SPDX-License-Identifier: Apache-2.0
"""Asks the model server's `agent_score` about one session (`bls.contracts.AGENT_SCORE`)."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from tritonclient.grpc import service_pb2

from bls.contracts import AGENT_SCORE
from bls.errors import SkynetError
from bls.phantom.live import LiveSession
from bls.reply.draw import conversation
from client.gateway.upstream import Triton


class Score(NamedTuple):
    """`served`: the version that said it (`bls.models.served_id`)."""

    probability: float
    served: int


async def ask(triton: Triton, session: LiveSession, timeout_s: float) -> Score | None:
    """f(tau) now; None when the model is away, slow, or answers anything but a probability."""
    try:
        return _read(await triton.infer(_request(session), timeout_s))
    except SkynetError:
        return None


def _request(session: LiveSession) -> Any:
    message = service_pb2.ModelInferRequest(model_name=AGENT_SCORE.name)
    features = session.features
    values = (
        features.transitions().tobytes(),
        features.stats().tobytes(),
        struct.pack("<Q", conversation(session.sid)),
    )
    for tensor, raw in zip(AGENT_SCORE.inputs, values, strict=True):
        message.inputs.add(name=tensor.name, datatype=tensor.dtype, shape=[1, *tensor.dims])
        message.raw_input_contents.append(raw)
    return message


def _read(response: Any) -> Score | None:
    names = [output.name for output in response.outputs]
    raw = dict(zip(names, response.raw_output_contents, strict=False))
    try:
        (probability,) = struct.unpack("<f", raw["PROBABILITY"])
        (served,) = struct.unpack("<Q", raw["SERVED"])
    except (KeyError, struct.error):
        return None
    return Score(probability, served) if 0.0 <= probability <= 1.0 else None
