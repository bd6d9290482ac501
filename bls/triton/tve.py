# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `tve`: contexts and ads in, value curves out, on one CPU thread."""

from __future__ import annotations

import triton_python_backend_utils as pb_utils

from bls.brain.tve.estimator import Estimator
from bls.brain.tve.stats import COUNTERS
from bls.contracts import TVE
from bls.jsonlog import JsonLog
from bls.models import model_key
from bls.models.keys import ModelKeys
from bls.models.places import Places
from bls.models.pointer import FolderPointer
from bls.settings import Settings
from bls.triton.served_model import ServedModel, tensors


class TrajectoryValue(ServedModel[Estimator]):
    """A request is a reply's ads; KEY is its conversation's."""

    prefix, counters = "tve", COUNTERS

    def make(self, settings: Settings, log: JsonLog) -> Estimator:
        return Estimator(
            FolderPointer(settings.tve_folder()),
            log,
            ModelKeys.open(settings, model_key.TVE, log),
            Places(settings.models_folder, settings.models_fetched),
        )

    def execute(
        self, requests: list[pb_utils.InferenceRequest]
    ) -> list[pb_utils.InferenceResponse]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        ctx, ads, keys = tensors(TVE, request)
        asked = (ctx, list(ads.ravel()), request.request_id(), keys[:, 0])
        return self.response(TVE, self.model.answer(*asked))
