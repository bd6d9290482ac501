# SPDX-License-Identifier: Apache-2.0
"""Triton model class of a model that answers its requests one by one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

import triton_python_backend_utils as pb_utils

from bls.contracts import ModelContract
from bls.errors import SkynetError
from bls.triton.served_model import S, ServedModel, tensors


class SingleModel(ServedModel[S]):
    """A class says its `contract`, and asks its model."""

    contract: ModelContract

    @abstractmethod
    def answer(self, inputs: list[Any], request_id: str) -> Iterable[Any] | SkynetError:
        """The outputs of one request, from its inputs, both in the contract's order."""

    def execute(
        self, requests: list[pb_utils.InferenceRequest]
    ) -> list[pb_utils.InferenceResponse]:
        return [self._response(request) for request in requests]

    def _response(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        answer = self.answer(tensors(self.contract, request), request.request_id())
        return self.response(self.contract, answer)
