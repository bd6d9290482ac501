# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `llm_step`.

`execute` only hands requests to the worker and returns; each answer is sent when it is there. So
a decode step never waits for the prompt that came in the same call.
"""

from __future__ import annotations

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from bls.contracts import Op
from bls.errors import SkynetError, invalid
from bls.llm.jobs import End, Job, Prefill, Reply, Span, Step, unpad
from bls.llm.stats import COUNTERS, GAUGES
from bls.llm.supervisor import Supervisor, WorkerOptions
from bls.settings import load_settings
from bls.triton.stats_exporter import StatsExporter

_FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
_NO_LOGITS = np.zeros((1, 1), np.float32)


class LLMStep:
    """One supervised worker per process."""

    def initialize(self, args: dict[str, str]) -> None:
        settings = load_settings()
        self._worker = Supervisor(
            WorkerOptions(
                python=settings.python,
                model=settings.llm_folder(),
                threads=settings.llm_threads,
                rows=settings.kv_rows,
                spin=settings.llm_spin,
            )
        )
        self._worker.start()
        self._metrics = StatsExporter(self._worker.stats, COUNTERS, GAUGES, pb_utils)
        self._metrics.start()

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> None:
        for request in requests:
            reply = self._reply_to(request)
            try:
                self._worker.submit(_job(request, reply))
            except SkynetError as error:
                reply(error)

    def finalize(self) -> None:
        self._metrics.stop()
        self._worker.stop()

    def _reply_to(self, request: pb_utils.InferenceRequest) -> Reply:
        sender = request.get_response_sender()
        logits = self._worker.logits

        def reply(result: Span | SkynetError) -> None:
            if isinstance(result, SkynetError):
                error = pb_utils.TritonError(result.to_wire())
                response = pb_utils.InferenceResponse(error=error)
            else:
                rows = logits[result.start : result.start + result.rows]
                response = pb_utils.InferenceResponse(
                    [pb_utils.Tensor("LOGITS", rows if result.rows else _NO_LOGITS)]
                )
            sender.send(response, flags=_FINAL)

        return reply


def _input(request: pb_utils.InferenceRequest, name: str) -> NDArray[np.generic]:
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    array: NDArray[np.generic] = tensor.as_numpy()
    return array


def _same(array: NDArray[np.generic], name: str) -> int:
    """The value of a tensor that must be the same on every row."""
    if array.size == 0 or (array != array.flat[0]).any():
        raise invalid("bad_tensor", f"{name} must be the same on every row.")
    return int(array.flat[0].item())


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
