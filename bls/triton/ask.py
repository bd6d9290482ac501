# SPDX-License-Identifier: Apache-2.0
"""One BLS call: a request to another model of this server, its outputs by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from bls.contracts import ModelContract
from bls.errors import SkynetError

_TIMEOUT_US = 2_000_000


def ask(model: ModelContract, *inputs: pb_utils.Tensor) -> dict[str, NDArray[Any]]:
    """Blocks until it has answered. Raises the model's `SkynetError`."""
    request = pb_utils.InferenceRequest(
        model_name=model.name,
        requested_output_names=[tensor.name for tensor in model.outputs],
        inputs=list(inputs),
        timeout=_TIMEOUT_US,
    )
    response = request.exec()
    if response.has_error():
        raise SkynetError.from_wire(response.error().message())
    return {tensor.name(): tensor.as_numpy() for tensor in response.output_tensors()}


def texts(found: Sequence[str]) -> NDArray[np.object_]:
    """Strings as a batch [n, 1]."""
    return np.array([[text.encode()] for text in found], np.object_)
