# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `bid_predictor`: features in, mixtures out, on one CPU thread."""

from __future__ import annotations

import triton_python_backend_utils as pb_utils

from bls.brain.forecast.predictor import Predictor
from bls.brain.forecast.predictor_stats import COUNTERS, GAUGES
from bls.contracts import BID_PREDICTOR
from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.models import stats as slot_stats
from bls.models.pointer import FolderPointer
from bls.settings import load_settings
from bls.triton.stats_exporter import StatsExporter

_FEATURES = BID_PREDICTOR.inputs[0].name
_MIXTURE = BID_PREDICTOR.outputs[0].name


class BidPredictor:
    """Answers with an error, and stays up, while it has no usable model."""

    def initialize(self, args: dict[str, str]) -> None:
        settings = load_settings()
        self._log = JsonLog(settings.logs, settings.limits.log_queue)
        self._predictor = Predictor(FolderPointer(settings.predictor_folder()), self._log)
        self._predictor.slot.start()
        slot = self._predictor.slot.stats
        self._metrics = (
            StatsExporter(self._predictor.stats, COUNTERS, GAUGES, pb_utils),
            StatsExporter(slot, slot_stats.counters("cbp"), slot_stats.gauges("cbp"), pb_utils),
        )
        for exporter in self._metrics:
            exporter.start()

    def execute(
        self, requests: list[pb_utils.InferenceRequest]
    ) -> list[pb_utils.InferenceResponse]:
        features = [
            pb_utils.get_input_tensor_by_name(request, _FEATURES).as_numpy() for request in requests
        ]
        return [_response(answer) for answer in self._predictor.answer(features)]

    def finalize(self) -> None:
        self._predictor.slot.stop()
        for exporter in self._metrics:
            exporter.stop()
        self._log.close()


def _response(answer: object) -> pb_utils.InferenceResponse:
    if isinstance(answer, SkynetError):
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(answer.to_wire()))
    return pb_utils.InferenceResponse([pb_utils.Tensor(_MIXTURE, answer)])
