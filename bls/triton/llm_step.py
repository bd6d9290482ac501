# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `llm_step`.

`execute` only hands requests to the worker and returns; each answer is sent when it is there. So
a decode step never waits for the prompt that came in the same call.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from bls.campaigns import load_campaigns
from bls.contracts import Op
from bls.errors import SkynetError, internal, invalid
from bls.jsonlog import JsonLog
from bls.llm import adapters
from bls.llm.adapters import AdapterKeeper
from bls.llm.stats import COUNTERS, GAUGES
from bls.llm.supervisor import Supervisor, WorkerOptions
from bls.remote import stats as remote
from bls.remote.bidder import bidders_of
from bls.remote.conversation import Answer
from bls.remote.exchange import Exchange
from bls.settings import load_settings
from bls.triton.stats_exporter import StatsExporter

_FINAL = pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
_NO_LOGITS = np.zeros((1, 1), np.float32)


class LLMStep:
    """One supervised worker per process, and the lines to remote bidders."""

    def initialize(self, args: dict[str, str]) -> None:
        settings = load_settings()
        folder = settings.llm_folder()
        self._worker = Supervisor(
            WorkerOptions(
                python=settings.python,
                model=folder,
                threads=settings.llm_threads,
                rows=settings.kv_rows,
                spin=settings.llm_spin,
            )
        )
        bidders = bidders_of(load_campaigns(settings.campaigns), folder)
        self._exchange = Exchange(self._worker, bidders)
        self._worker.start()
        self._exchange.start()
        self._log = JsonLog(settings.logs, settings.limits.log_queue)
        self._adapters = AdapterKeeper.open(settings, self._worker, self._log)
        self._adapters.start()
        self._metrics = (
            StatsExporter(self._worker.stats, COUNTERS, GAUGES, pb_utils),
            StatsExporter(self._exchange.stats, remote.COUNTERS, remote.GAUGES, pb_utils),
            StatsExporter(self._adapters.stats, adapters.COUNTERS, adapters.GAUGES, pb_utils),
        )
        for exporter in self._metrics:
            exporter.start()

    def execute(self, requests: list[pb_utils.InferenceRequest]) -> None:
        for request in requests:
            answer = _answer_to(request, self._worker.undelivered)
            try:
                self._hand_in(request, answer)
            except SkynetError as error:
                answer(error)

    def finalize(self) -> None:
        for exporter in self._metrics:
            exporter.stop()
        self._adapters.stop()
        self._worker.stop()
        self._exchange.stop()
        self._log.close()

    def _hand_in(self, request: pb_utils.InferenceRequest, answer: Answer) -> None:
        conv = _same(_input(request, "CONV"), "CONV")
        op = _same(_input(request, "OP"), "OP")
        ids = _input(request, "IDS").astype(np.int32, copy=False)
        if op == Op.STEP:
            if ids.shape[1] != 1:
                raise invalid("bad_step", "A step carries one token per row.")
            self._exchange.step(conv, len(ids), _same(ids, "IDS"), answer)
        elif op == Op.PREFILL:
            salt = _same(_input(request, "SALT"), "SALT")
            adapters = _input(request, "ADAPTER").ravel().tolist()
            self._exchange.prefill(conv, salt, ids, answer, adapters)
        elif op == Op.END:
            self._exchange.end(conv, answer)
        elif op == Op.AGAIN:
            self._exchange.again(conv, _same(ids, "IDS"), answer)
        else:
            raise invalid("bad_op", "OP must be 0 (prefill), 1 (step), 2 (end) or 3 (again).")


def _answer_to(request: pb_utils.InferenceRequest, undelivered: Callable[[], None]) -> Answer:
    """Never raises: whoever answers has others to answer.

    An answer that fails is told to `undelivered`, and tried once more as an error. Triton takes
    one response per request, so that helps when the response could not be built.
    """
    sender = request.get_response_sender()

    def answer(result: NDArray[np.float32] | SkynetError) -> None:
        try:
            sender.send(_response(result), flags=_FINAL)
        except Exception:
            undelivered()
            with contextlib.suppress(Exception):
                sender.send(_response(internal()), flags=_FINAL)

    return answer


def _response(result: NDArray[np.float32] | SkynetError) -> pb_utils.InferenceResponse:
    if isinstance(result, SkynetError):
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(result.to_wire()))
    logits = result if len(result) else _NO_LOGITS
    return pb_utils.InferenceResponse([pb_utils.Tensor("LOGITS", logits)])


def _input(request: pb_utils.InferenceRequest, name: str) -> NDArray[np.generic]:
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    array: NDArray[np.generic] = tensor.as_numpy()
    return array


def _same(array: NDArray[np.generic], name: str) -> int:
    """The value of a tensor that must be the same on every row."""
    if array.size == 0 or (array != array.flat[0]).any():
        raise invalid("bad_tensor", f"{name} must be the same on every row.")
    return int(array.flat[0].item())
