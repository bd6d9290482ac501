# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `agent_score`: sessions in, probabilities out, on one CPU thread."""

from __future__ import annotations

import triton_python_backend_utils as pb_utils

from bls.contracts import AGENT_SCORE
from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.models.keys import ModelKeys
from bls.models.model_key import AGENT
from bls.models.places import Places
from bls.models.pointer import FolderPointer
from bls.phantom.score_stats import COUNTERS
from bls.phantom.scorer import Scorer
from bls.settings import load_settings
from bls.triton.stats_exporter import StatsExporter

_TRANSITIONS, _STATS, _KEY = (tensor.name for tensor in AGENT_SCORE.inputs)
_OUTPUTS = tuple(tensor.name for tensor in AGENT_SCORE.outputs)


class AgentScore:
    """Answers with an error, and stays up, while it has no usable model."""

    def initialize(self, args: dict[str, str]) -> None:
        settings = load_settings()
        self._log = JsonLog(settings.logs, settings.limits.log_queue)
        self._scorer = Scorer(
            FolderPointer(settings.agent_folder()),
            self._log,
            ModelKeys.open(settings, AGENT, self._log),
            Places(settings.models_folder, settings.models_fetched),
        )
        self._scorer.models.start()
        series = [(self._scorer.stats, COUNTERS, {}), *self._scorer.models.series("phantom_score")]
        self._metrics = [StatsExporter(*each, pb_utils) for each in series]
        for exporter in self._metrics:
            exporter.start()

    def execute(
        self, requests: list[pb_utils.InferenceRequest]
    ) -> list[pb_utils.InferenceResponse]:
        return [self._answer(request) for request in requests]

    def finalize(self) -> None:
        self._scorer.models.stop()
        for exporter in self._metrics:
            exporter.stop()
        self._log.close()

    def _answer(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        counts, stats, keys = (
            pb_utils.get_input_tensor_by_name(request, name).as_numpy()
            for name in (_TRANSITIONS, _STATS, _KEY)
        )
        answer = self._scorer.answer(counts, stats, keys[:, 0])
        if isinstance(answer, SkynetError):
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(answer.to_wire()))
        return pb_utils.InferenceResponse(
            [pb_utils.Tensor(name, part) for name, part in zip(_OUTPUTS, answer, strict=True)]
        )
