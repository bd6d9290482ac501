# SPDX-License-Identifier: Apache-2.0
"""Base of the Triton model classes around a `Batched`: rows and their keys in, an output out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import triton_python_backend_utils as pb_utils

from bls.contracts import ModelContract
from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.models.batch_stats import Series
from bls.models.batched import Answer, Batched
from bls.models.models import Digests
from bls.settings import Settings, load_settings
from bls.triton.stats_exporter import StatsExporter

Make = Callable[[Settings, JsonLog], Batched]


class BatchedModel:
    """Answers with an error, and stays up, while it has no usable model.

    A class says its `contract` (input and keys in, output and SERVED out), the `prefix` and
    `counters` of its series, how its model is made, and which number of a key row is the digest.
    """

    contract: ModelContract
    prefix: str
    counters: Series
    key: int = 0

    def make(self, settings: Settings, log: JsonLog) -> Batched:
        """The served model, not started."""
        raise NotImplementedError

    def initialize(self, args: dict[str, str]) -> None:
        settings = load_settings()
        self._log = JsonLog(settings.logs, settings.limits.log_queue)
        self._model = self.make(settings, self._log)
        self._model.models.start()
        series = [(self._model.stats, self.counters, {}), *self._model.models.series(self.prefix)]
        self._metrics = [StatsExporter(*each, pb_utils) for each in series]
        for exporter in self._metrics:
            exporter.start()

    def execute(
        self, requests: list[pb_utils.InferenceRequest]
    ) -> list[pb_utils.InferenceResponse]:
        values, keys = (tensor.name for tensor in self.contract.inputs)
        rows = [_input(request, values) for request in requests]
        digests: list[Digests] = [_input(request, keys)[:, self.key] for request in requests]
        return [self._response(answer) for answer in self._model.answer(rows, digests)]

    def finalize(self) -> None:
        self._model.models.stop()
        for exporter in self._metrics:
            exporter.stop()
        self._log.close()

    def _response(self, answer: Answer | SkynetError) -> pb_utils.InferenceResponse:
        if isinstance(answer, SkynetError):
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(answer.to_wire()))
        pairs = zip(self.contract.outputs, answer, strict=True)
        return pb_utils.InferenceResponse([pb_utils.Tensor(to.name, part) for to, part in pairs])


def _input(request: pb_utils.InferenceRequest, name: str) -> Any:
    return pb_utils.get_input_tensor_by_name(request, name).as_numpy()
