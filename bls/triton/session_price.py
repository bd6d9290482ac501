# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `session_price`: states in, multipliers out, on one CPU thread."""

from __future__ import annotations

from typing import Any

import triton_python_backend_utils as pb_utils

from bls.contracts import SESSION_PRICE
from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.models.keys import ModelKeys
from bls.models.model_key import PRICE
from bls.models.places import Places
from bls.models.pointer import FolderPointer
from bls.phantom.pricer import Answer, Pricer
from bls.phantom.pricer_stats import COUNTERS, GAUGES
from bls.settings import load_settings
from bls.triton.stats_exporter import StatsExporter

_STATE, _KEY = (tensor.name for tensor in SESSION_PRICE.inputs)
_MULTIPLIER, _SERVED = (tensor.name for tensor in SESSION_PRICE.outputs)


class SessionPrice:
    """Answers with an error, and stays up, while it has no usable model."""

    def initialize(self, args: dict[str, str]) -> None:
        settings = load_settings()
        self._log = JsonLog(settings.logs, settings.limits.log_queue)
        self._pricer = Pricer(
            FolderPointer(settings.price_folder()),
            self._log,
            ModelKeys.open(settings, PRICE, self._log),
            Places(settings.models_folder, settings.models_fetched),
        )
        self._pricer.models.start()
        models = self._pricer.models.series("phantom_price")
        series = [(self._pricer.stats, COUNTERS, GAUGES), *models]
        self._metrics = [StatsExporter(*each, pb_utils) for each in series]
        for exporter in self._metrics:
            exporter.start()

    def execute(
        self, requests: list[pb_utils.InferenceRequest]
    ) -> list[pb_utils.InferenceResponse]:
        states = [_input(request, _STATE) for request in requests]
        keys = [_input(request, _KEY)[:, 0] for request in requests]
        return [_response(answer) for answer in self._pricer.answer(states, keys)]

    def finalize(self) -> None:
        self._pricer.models.stop()
        for exporter in self._metrics:
            exporter.stop()
        self._log.close()


def _input(request: pb_utils.InferenceRequest, name: str) -> Any:
    return pb_utils.get_input_tensor_by_name(request, name).as_numpy()


def _response(answer: Answer | SkynetError) -> pb_utils.InferenceResponse:
    if isinstance(answer, SkynetError):
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(answer.to_wire()))
    multiplier, served = answer
    tensors = [pb_utils.Tensor(_MULTIPLIER, multiplier), pb_utils.Tensor(_SERVED, served)]
    return pb_utils.InferenceResponse(tensors)
