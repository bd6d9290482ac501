# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `context_encoder`: one text in, its axis vector out, up to 32 a request."""

from __future__ import annotations

import numpy as np
import triton_python_backend_utils as pb_utils

from bls.brain.context.encoder import ContextEncoder
from bls.contracts import CTX
from bls.errors import SkynetError, internal, invalid
from bls.triton.stats_exporter import StatsExporter

_COUNTERS = {
    "mro_ctx_cache_hits_total": ("hits", "Texts whose axis vector was in the cache"),
    "mro_ctx_encoded_total": ("misses", "Texts whose axis vector was computed"),
}


class ContextEncoderModel:
    """A request that cannot be answered fails alone; the others of the call are answered."""

    def initialize(self, args: dict[str, str]) -> None:
        self._encoder = ContextEncoder()
        self._metrics = StatsExporter(self._encoder, _COUNTERS, {}, pb_utils)
        self._metrics.start()

    def execute(
        self, requests: list[pb_utils.InferenceRequest]
    ) -> list[pb_utils.InferenceResponse]:
        return [self._answer(request) for request in requests]

    def finalize(self) -> None:
        self._metrics.stop()

    def _answer(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        texts = pb_utils.get_input_tensor_by_name(request, "TEXT").as_numpy()
        try:
            vectors = self._encoder.encode([_decode(text) for text in texts.ravel()])
        except SkynetError as error:
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(error.to_wire()))
        except Exception as error:  # a fault of onnxruntime; the next request may well work
            pb_utils.Logger.log_error(f"context_encoder: {type(error).__name__}")
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(internal().to_wire()))
        shaped = np.ascontiguousarray(vectors.reshape(-1, CTX))
        return pb_utils.InferenceResponse([pb_utils.Tensor("CTX", shaped)])


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise invalid("bad_text", "The text is not valid UTF-8.", "text") from None
