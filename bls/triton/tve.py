# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `tve`: contexts and ads in, value curves out, on one CPU thread."""

from __future__ import annotations

import triton_python_backend_utils as pb_utils

from bls.brain.tve.estimator import Estimator
from bls.brain.tve.stats import COUNTERS
from bls.contracts import TVE
from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.models import stats as slot_stats
from bls.models.pointer import FolderPointer
from bls.settings import load_settings
from bls.triton.stats_exporter import StatsExporter

_CTX, _AD = (tensor.name for tensor in TVE.inputs)
_OUTPUTS = tuple(tensor.name for tensor in TVE.outputs)


class TrajectoryValue:
    """Answers with an error, and stays up, while it has no usable model."""

    def initialize(self, args: dict[str, str]) -> None:
        settings = load_settings()
        self._log = JsonLog(settings.logs, settings.limits.log_queue)
        self._estimator = Estimator(FolderPointer(settings.tve_folder()), self._log)
        self._estimator.slot.start()
        slot = self._estimator.slot.stats
        self._metrics = (
            StatsExporter(self._estimator.stats, COUNTERS, {}, pb_utils),
            StatsExporter(slot, slot_stats.counters("tve"), slot_stats.gauges("tve"), pb_utils),
        )
        for exporter in self._metrics:
            exporter.start()

    def execute(
        self, requests: list[pb_utils.InferenceRequest]
    ) -> list[pb_utils.InferenceResponse]:
        return [self._answer(request) for request in requests]

    def finalize(self) -> None:
        self._estimator.slot.stop()
        for exporter in self._metrics:
            exporter.stop()
        self._log.close()

    def _answer(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        ctx, ads = (
            pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in (_CTX, _AD)
        )
        answer = self._estimator.answer(ctx, list(ads.ravel()), request.request_id())
        if isinstance(answer, SkynetError):
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(answer.to_wire()))
        return pb_utils.InferenceResponse(
            [pb_utils.Tensor(name, part) for name, part in zip(_OUTPUTS, answer, strict=True)]
        )
