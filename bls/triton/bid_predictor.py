# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `bid_predictor`: features in, mixtures out, on one CPU thread."""

from __future__ import annotations

from typing import Any

import triton_python_backend_utils as pb_utils

from bls.brain.forecast.predictor import Forecast, Predictor
from bls.brain.forecast.predictor_stats import COUNTERS, GAUGES
from bls.contracts import BID_PREDICTOR
from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.models.keys import ModelKeys
from bls.models.model_key import PREDICTOR
from bls.models.places import Places
from bls.models.pointer import FolderPointer
from bls.reply.draw import CONVERSATION
from bls.settings import load_settings
from bls.triton.stats_exporter import StatsExporter

_FEATURES, _DRAW = (tensor.name for tensor in BID_PREDICTOR.inputs)
_MIXTURE, _SERVED = (tensor.name for tensor in BID_PREDICTOR.outputs)


class BidPredictor:
    """Answers with an error, and stays up, while it has no usable model."""

    def initialize(self, args: dict[str, str]) -> None:
        settings = load_settings()
        self._log = JsonLog(settings.logs, settings.limits.log_queue)
        self._predictor = Predictor(
            FolderPointer(settings.predictor_folder()),
            self._log,
            ModelKeys.open(settings, PREDICTOR, self._log),
            Places(settings.models_folder, settings.models_fetched),
        )
        self._predictor.models.start()
        series = [(self._predictor.stats, COUNTERS, GAUGES), *self._predictor.models.series("cbp")]
        self._metrics = [StatsExporter(*each, pb_utils) for each in series]
        for exporter in self._metrics:
            exporter.start()

    def execute(
        self, requests: list[pb_utils.InferenceRequest]
    ) -> list[pb_utils.InferenceResponse]:
        features = [_input(request, _FEATURES) for request in requests]
        keys = [_input(request, _DRAW)[:, CONVERSATION] for request in requests]
        return [_response(answer) for answer in self._predictor.answer(features, keys)]

    def finalize(self) -> None:
        self._predictor.models.stop()
        for exporter in self._metrics:
            exporter.stop()
        self._log.close()


def _input(request: pb_utils.InferenceRequest, name: str) -> Any:
    return pb_utils.get_input_tensor_by_name(request, name).as_numpy()


def _response(answer: Forecast | SkynetError) -> pb_utils.InferenceResponse:
    if isinstance(answer, SkynetError):
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(answer.to_wire()))
    mixture, served = answer
    tensors = [pb_utils.Tensor(_MIXTURE, mixture), pb_utils.Tensor(_SERVED, served)]
    return pb_utils.InferenceResponse(tensors)
