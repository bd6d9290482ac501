# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `llm_step`.

`execute` only hands requests to the engine and returns; the engine's thread sends each answer
when it is there. So a decode step never waits for the prompt that came in the same call.
"""

from __future__ import annotations

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from bls.contracts import Op
from bls.errors import SkynetError, internal, invalid
from bls.llm.engine import Engine
from bls.llm.jobs import End, Job, Prefill, Reply, Step, unpad
from bls.llm.stats import COUNTERS, GAUGES
from bls.llm.session import LLMSession, SessionOptions
from bls.settings import load_settings
from bls.triton.stats_exporter import StatsExporter

_FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL


class LLMStep:
    """One engine per process."""

    def initialize(self, args: dict[str, str]) -> None:
        settings = load_settings()
        options = SessionOptions(settings.llm_threads, settings.llm_spin)
        session = LLMSession(settings.llm_folder(), options)
        self._engine = Engine(session, settings.limits)
        self._engine.start()
        self._metrics = StatsExporter(self._engine.stats, COUNTERS, GAUGES, pb_utils)
        self._metrics.start()

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> None:
        for request in requests:
            reply = _reply_to(request)
            try:
                self._engine.submit(_job(request, reply))
            except SkynetError as error:
                reply(error)

    def finalize(self) -> None:
        self._metrics.stop()
        self._engine.stop()


def _input(request: pb_utils.InferenceRequest, name: str) -> NDArray[np.generic]:
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    array: NDArray[np.generic] = tensor.as_numpy()
    return array


def _same(array: NDArray[np.generic], name: str) -> int:
    """The value of a tensor that must be the same on every row."""
    if array.size == 0 or (array != array.flat[0]).any():
        raise invalid("bad_tensor", f"{name} must be the same on every row.")
    return int(array.flat[0])


def _job(request: pb_utils.InferenceRequest, reply: Reply) -> Job:
    conv = _same(_input(request, "CONV"), "CONV")
    op = _same(_input(request, "OP"), "OP")
    ids = _input(request, "IDS").astype(np.int32, copy=False)
    if op == Op.STEP:
        if ids.shape[1] != 1:
            raise invalid("bad_step", "A step carries one token per row.")
        return Step(conv, ids.shape[0], _same(ids, "IDS"), reply)
    if op == Op.PREFILL:
        return Prefill(conv, _same(_input(request, "SALT"), "SALT"), unpad(ids), reply)
    if op == Op.END:
        return End(conv, reply)
    raise invalid("bad_op", "OP must be 0 (prefill), 1 (step) or 2 (end).")


def _reply_to(request: pb_utils.InferenceRequest) -> Reply:
    sender = request.get_response_sender()

    def reply(result: NDArray[np.float32] | SkynetError) -> None:
        if isinstance(result, SkynetError):
            response = pb_utils.InferenceResponse(error=pb_utils.TritonError(result.to_wire()))
        else:
            response = pb_utils.InferenceResponse([pb_utils.Tensor("LOGITS", result)])
        try:
            sender.send(response, flags=_FINAL)
        except Exception:  # the server dropped the request; nothing is left to tell
            _send_internal(sender)

    return reply


def _send_internal(sender: pb_utils.InferenceResponseSender) -> None:
    error = pb_utils.TritonError(internal().to_wire())
    try:
        sender.send(pb_utils.InferenceResponse(error=error), flags=_FINAL)
    except Exception:  # already closed: exactly one final was sent
        return
