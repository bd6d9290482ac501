# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `summariser`: windows in, summaries out, from a supervised worker."""

from __future__ import annotations

import numpy as np
import triton_python_backend_utils as pb_utils

from bls.condense.stats import WORKER_COUNTERS
from bls.condense.supervisor import Supervisor, WorkerOptions
from bls.condense.tensors import pad, unpad
from bls.contracts import SUMMARISER, SUMMARY_TOKENS
from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.settings import load_settings
from bls.triton.stats_exporter import StatsExporter

_IDS, _SUMMARY = SUMMARISER.inputs[0].name, SUMMARISER.outputs[0].name


class SummariserModel:
    """Answers with an error, and stays up, while it has no worker."""

    def initialize(self, args: dict[str, str]) -> None:
        settings = load_settings()
        self._log = JsonLog(settings.logs, settings.limits.log_queue)
        options = WorkerOptions(settings.python, settings.summariser_folder())
        self._worker = Supervisor(options, self._log)
        if not self._worker.start():
            pb_utils.Logger.log_warn("summariser: no worker yet")
        self._metrics = StatsExporter(self._worker.stats, WORKER_COUNTERS, {}, pb_utils)
        self._metrics.start()

    def execute(
        self, requests: list[pb_utils.InferenceRequest]
    ) -> list[pb_utils.InferenceResponse]:
        return [self._answer(request) for request in requests]

    def finalize(self) -> None:
        self._worker.stop()
        self._metrics.stop()
        self._log.close()

    def _answer(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        ids = pb_utils.get_input_tensor_by_name(request, _IDS).as_numpy()
        try:
            summaries = pad(self._worker(unpad(ids)), SUMMARY_TOKENS)
        except SkynetError as error:
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(error.to_wire()))
        out = np.ascontiguousarray(summaries)
        return pb_utils.InferenceResponse([pb_utils.Tensor(_SUMMARY, out)])
