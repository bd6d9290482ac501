# SPDX-License-Identifier: Apache-2.0
"""Zeros for every row: the floor of `python -m export.agent_score.bench`."""

from __future__ import annotations

import os
import sys

sys.path[:0] = os.environ.get("SKYNET_SITE", "").split(os.pathsep)

import numpy as np  # noqa: E402
import triton_python_backend_utils as pb_utils  # noqa: E402

OUTPUTS = (("PROBABILITY", 1, np.float32), ("DIVERGENCE", 2, np.float32), ("SERVED", 1, np.uint64))


class TritonPythonModel:
    def execute(
        self, requests: list[pb_utils.InferenceRequest]
    ) -> list[pb_utils.InferenceResponse]:
        return [self._zeros(request) for request in requests]

    @staticmethod
    def _zeros(request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        rows = len(pb_utils.get_input_tensor_by_name(request, "STATS").as_numpy())
        found = [(name, np.zeros((rows, width), dtype)) for name, width, dtype in OUTPUTS]
        return pb_utils.InferenceResponse([pb_utils.Tensor(*each) for each in found])
