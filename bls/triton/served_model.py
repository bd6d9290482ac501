# SPDX-License-Identifier: Apache-2.0
"""Base of the Triton model classes around a served model with versions, a canary and totals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Generic, Protocol, TypeVar

import triton_python_backend_utils as pb_utils

from bls.contracts import ModelContract
from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.models.models import Models
from bls.settings import Settings, load_settings
from bls.triton.stats_exporter import StatsExporter, Table


class Served(Protocol):
    """What a class serves; `stats` has the attributes that its `counters` name."""

    models: Models[Any]

    @property
    def stats(self) -> object: ...


S = TypeVar("S", bound=Served)


class ServedModel(ABC, Generic[S]):
    """Answers with an error, and stays up, while it has no usable model.

    A class says the `prefix` and `counters` of its series, and how its model is made.
    """

    prefix: str
    counters: Table
    model: S

    @abstractmethod
    def make(self, settings: Settings, log: JsonLog) -> S:
        """The served model, not started."""

    def initialize(self, args: dict[str, str]) -> None:
        settings = load_settings()
        self._log = JsonLog(settings.logs, settings.limits.log_queue)
        self.model = self.make(settings, self._log)
        self.model.models.start()
        series = [(self.model.stats, self.counters, {}), *self.model.models.series(self.prefix)]
        self._metrics = [StatsExporter(*each, pb_utils) for each in series]
        for exporter in self._metrics:
            exporter.start()

    def finalize(self) -> None:
        self.model.models.stop()
        for exporter in self._metrics:
            exporter.stop()
        self._log.close()

    @staticmethod
    def response(
        contract: ModelContract, answer: Iterable[Any] | SkynetError
    ) -> pb_utils.InferenceResponse:
        """The outputs of the contract, in its order, or the error."""
        if isinstance(answer, SkynetError):
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(answer.to_wire()))
        pairs = zip(contract.outputs, answer, strict=True)
        return pb_utils.InferenceResponse([pb_utils.Tensor(to.name, part) for to, part in pairs])


def tensors(contract: ModelContract, request: pb_utils.InferenceRequest) -> list[Any]:
    """The inputs of the contract, in its order."""
    found = (pb_utils.get_input_tensor_by_name(request, each.name) for each in contract.inputs)
    return [tensor.as_numpy() for tensor in found]
