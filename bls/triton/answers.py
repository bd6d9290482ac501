# SPDX-License-Identifier: Apache-2.0
"""What a model answers when its work fails: our typed errors as they are, others as `internal`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import triton_python_backend_utils as pb_utils

from bls.errors import SkynetError, internal


def answered(
    model: str, work: Callable[[], Sequence[pb_utils.Tensor]]
) -> pb_utils.InferenceResponse:
    """The outputs of `work`, or an error: the next request may well work.

    Args:
        model: named in the server's log beside an unexpected fault's type; never its text.
    """
    try:
        return pb_utils.InferenceResponse(list(work()))
    except SkynetError as error:
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(error.to_wire()))
    except Exception as error:
        pb_utils.Logger.log_error(f"{model}: {type(error).__name__}")
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(internal().to_wire()))
