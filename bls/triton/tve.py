# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `tve`: contexts and ads in, value curves out, on one CPU thread."""

from __future__ import annotations

import triton_python_backend_utils as pb_utils

from bls.brain.tve.estimator import Estimator
from bls.brain.tve.stats import COUNTERS
from bls.contracts import TVE
from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.models import model_key
from bls.models.keys import ModelKeys
from bls.models.places import Places
from bls.models.pointer import FolderPointer
from bls.settings import load_settings
from bls.triton.stats_exporter import StatsExporter

_CTX, _AD, _KEY = (tensor.name for tensor in TVE.inputs)
_OUTPUTS = tuple(tensor.name for tensor in TVE.outputs)


class TrajectoryValue:
    """Answers with an error, and stays up, while it has no usable model."""

    def initialize(self, args: dict[str, str]) -> None:
        settings = load_settings()
        self._log = JsonLog(settings.logs, settings.limits.log_queue)
        self._estimator = Estimator(
            FolderPointer(settings.tve_folder()),
            self._log,
            ModelKeys.open(settings, model_key.TVE, self._log),
            Places(settings.models_folder, settings.models_fetched),
        )
        self._estimator.models.start()
        series = [(self._estimator.stats, COUNTERS, {}), *self._estimator.models.series("tve")]
        self._metrics = [StatsExporter(*each, pb_utils) for each in series]
        for exporter in self._metrics:
            exporter.start()

    def execute(
        self, requests: list[pb_utils.InferenceRequest]
    ) -> list[pb_utils.InferenceResponse]:
        return [self._answer(request) for request in requests]

    def finalize(self) -> None:
        self._estimator.models.stop()
        for exporter in self._metrics:
            exporter.stop()
        self._log.close()

    def _answer(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        ctx, ads, keys = (
            pb_utils.get_input_tensor_by_name(request, name).as_numpy()
            for name in (_CTX, _AD, _KEY)
        )
        asked = (ctx, list(ads.ravel()), request.request_id(), keys[:, 0])
        answer = self._estimator.answer(*asked)
        if isinstance(answer, SkynetError):
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(answer.to_wire()))
        return pb_utils.InferenceResponse(
            [pb_utils.Tensor(name, part) for name, part in zip(_OUTPUTS, answer, strict=True)]
        )
