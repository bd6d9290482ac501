# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `context_encoder`: texts in, axis vectors out, up to 32 a request."""

from __future__ import annotations

import numpy as np
import triton_python_backend_utils as pb_utils

from bls.brain.context.encoder import ContextEncoder
from bls.brain.context.live_axes import LiveAxes
from bls.brain.context.version import NEWEST
from bls.contracts import CTX
from bls.errors import invalid
from bls.jsonlog import JsonLog
from bls.keys import stats as key_stats
from bls.models import stats as slot_stats
from bls.settings import load_settings
from bls.triton.answers import answered
from bls.triton.stats_exporter import StatsExporter

_COUNTERS = {
    "mro_ctx_cache_hits_total": ("hits", "Texts whose embedding was in the cache"),
    "mro_ctx_encoded_total": ("misses", "Texts whose embedding was computed"),
}
_SLOT = slot_stats.counters("mro_axes"), slot_stats.gauges("mro_axes")
_KEY = key_stats.counters("mro_axes_key"), key_stats.gauges("mro_axes_key")


class ContextEncoderModel:
    """A request that cannot be answered fails alone; the others of the call are answered."""

    def initialize(self, args: dict[str, str]) -> None:
        settings = load_settings()
        self._log = JsonLog(settings.logs, settings.limits.log_queue)
        self._axes = LiveAxes.open(settings, self._log)
        self._axes.start()
        self._encoder = ContextEncoder(held=self._axes.held)
        self._metrics = [
            StatsExporter(self._encoder, _COUNTERS, {}, pb_utils),
            StatsExporter(self._axes.slot.stats, *_SLOT, pb_utils),
            StatsExporter(self._axes.key.stats, *_KEY, pb_utils),
        ]
        for exporter in self._metrics:
            exporter.start()

    def execute(
        self, requests: list[pb_utils.InferenceRequest]
    ) -> list[pb_utils.InferenceResponse]:
        return [self._answer(request) for request in requests]

    def finalize(self) -> None:
        self._axes.stop()
        for exporter in self._metrics:
            exporter.stop()
        self._log.close()

    def _answer(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        texts = pb_utils.get_input_tensor_by_name(request, "TEXT").as_numpy().ravel()
        asked = pb_utils.get_input_tensor_by_name(request, "AXES")
        axes = [NEWEST] * len(texts) if asked is None else asked.as_numpy().ravel().tolist()

        def work() -> list[pb_utils.Tensor]:
            vectors, served = self._encoder.answer([_decode(text) for text in texts], axes)
            shaped = np.ascontiguousarray(vectors.reshape(-1, CTX))
            named = np.ascontiguousarray(served.reshape(-1, 1))
            return [pb_utils.Tensor("CTX", shaped), pb_utils.Tensor("SERVED", named)]

        return answered("context_encoder", work)


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise invalid("bad_text", "The text is not valid UTF-8.", "text") from None
