# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `agent_score`: sessions in, probabilities out, on one CPU thread."""

from __future__ import annotations

import triton_python_backend_utils as pb_utils

from bls.contracts import AGENT_SCORE
from bls.jsonlog import JsonLog
from bls.models.keys import ModelKeys
from bls.models.model_key import AGENT
from bls.models.places import Places
from bls.models.pointer import FolderPointer
from bls.phantom.score_stats import COUNTERS
from bls.phantom.scorer import Scorer
from bls.settings import Settings
from bls.triton.served_model import ServedModel, tensors


class AgentScore(ServedModel[Scorer]):
    """A request is some sessions; KEY is each one's."""

    prefix, counters = "phantom_score", COUNTERS

    def make(self, settings: Settings, log: JsonLog) -> Scorer:
        return Scorer(
            FolderPointer(settings.agent_folder()),
            log,
            ModelKeys.open(settings, AGENT, log),
            Places(settings.models_folder, settings.models_fetched),
        )

    def execute(
        self, requests: list[pb_utils.InferenceRequest]
    ) -> list[pb_utils.InferenceResponse]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        counts, stats, keys = tensors(AGENT_SCORE, request)
        return self.response(AGENT_SCORE, self.model.answer(counts, stats, keys[:, 0]))
