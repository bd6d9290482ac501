# SPDX-License-Identifier: Apache-2.0
"""Base of the Triton model classes around a served model with versions, a canary and totals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

import triton_python_backend_utils as pb_utils

from bls.contracts import ModelContract
from bls.errors import SkynetError
from bls.jsonlog import JsonLog
from bls.models.keys import ModelKeys
from bls.models.places import Places
from bls.models.pointer import FolderPointer
from bls.models.serving import Serving
from bls.settings import Settings, load_settings
from bls.triton.stats_exporter import StatsExporter, Table

S = TypeVar("S", bound=Serving[Any, Any])


class ServedModel(ABC, Generic[S]):
    """Answers with an error, and stays up, while it has no usable model.

    A class says what is `served`, as which `subsystem` of the key store, and the `prefix` and
    `counters` of its series; these name attributes of the model's `stats`.
    """

    served: type[S]
    subsystem: str
    prefix: str
    counters: Table
    model: S

    @abstractmethod
    def folder(self, settings: Settings) -> Path:
        """Of the version that serves while no key names one."""

    def initialize(self, args: dict[str, str]) -> None:
        settings = load_settings()
        self._log = JsonLog(settings.logs, settings.limits.log_queue)
        self.model = self.served(
            FolderPointer(self.folder(settings)),
            self._log,
            ModelKeys.open(settings, self.subsystem, self._log),
            Places(settings.models_folder, settings.models_fetched),
        )
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
