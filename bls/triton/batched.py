# SPDX-License-Identifier: Apache-2.0
"""Triton model class of a `Batched`: rows and their keys in, an output and its versions out."""

from __future__ import annotations

import triton_python_backend_utils as pb_utils

from bls.contracts import ModelContract
from bls.models.batched import Batched
from bls.models.models import Digests
from bls.triton.served_model import ServedModel, tensors


class BatchedModel(ServedModel[Batched]):
    """A class says its `contract`, and which number of a key row is the digest."""

    contract: ModelContract
    key: int = 0

    def execute(
        self, requests: list[pb_utils.InferenceRequest]
    ) -> list[pb_utils.InferenceResponse]:
        asked = [tensors(self.contract, request) for request in requests]
        keys: list[Digests] = [found[1][:, self.key] for found in asked]
        answers = self.model.answer([found[0] for found in asked], keys)
        return [self.response(self.contract, answer) for answer in answers]
