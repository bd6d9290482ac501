# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `condense`: a chat's head in, at most 8 summaries out.

It asks `summariser` for all windows in one batch. When that fails, the answer has no summaries and
the count of windows: the reply goes on with its tail.
"""

from __future__ import annotations

import numpy as np
import triton_python_backend_utils as pb_utils

from bls.condense.bridge import Bridge
from bls.condense.cache import made_by, open_cache
from bls.condense.condenser import Condenser
from bls.condense.stats import CACHE_COUNTERS, CACHE_GAUGES, COUNTERS
from bls.condense.tensors import flat, pad, unpad
from bls.condense.windows import policy_of
from bls.contracts import CONDENSE, SUMMARISER, SUMMARY_WINDOW
from bls.errors import SkynetError, internal
from bls.jsonlog import JsonLog
from bls.limits import LIMITS
from bls.policy.filter import load_filter
from bls.settings import load_settings
from bls.triton.stats_exporter import StatsExporter

_IDS, _SALT = (tensor.name for tensor in CONDENSE.inputs)
_OUTPUTS = [tensor.name for tensor in CONDENSE.outputs]
_TIMEOUT_US = round(1e6 * LIMITS.condense_timeout_s)


class CondenseModel:
    """One condenser, which keeps its summaries for 15 minutes."""

    def initialize(self, args: dict[str, str]) -> None:
        settings = load_settings()
        summariser = settings.summariser_folder()
        bridge = Bridge(settings.llm_folder(), summariser)
        self._log = JsonLog(settings.logs, settings.limits.log_queue)
        cache = open_cache(settings.redis)
        self._condenser = Condenser(
            summarise,
            bridge,
            choice=policy_of(settings.condense, bridge.spelling),
            policy=load_filter(settings.policy_model, settings.policy_rules),
            cache=cache,
            log=self._log,
            made_by=made_by(summariser, settings.policy_model, settings.policy_rules),
        )
        self._metrics = (
            StatsExporter(self._condenser.stats, COUNTERS, {}, pb_utils),
            StatsExporter(cache.stats, CACHE_COUNTERS, CACHE_GAUGES, pb_utils),
        )
        for exporter in self._metrics:
            exporter.start()

    def execute(
        self, requests: list[pb_utils.InferenceRequest]
    ) -> list[pb_utils.InferenceResponse]:
        return [self._answer(request) for request in requests]

    def finalize(self) -> None:
        for exporter in self._metrics:
            exporter.stop()
        self._log.close()

    def _answer(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        ids, salt = (
            pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in (_IDS, _SALT)
        )
        try:
            condensed = self._condenser.condense(ids.tolist(), int(salt[0]))
        except SkynetError as error:
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(error.to_wire()))
        except Exception as error:  # ids of another vocabulary
            pb_utils.Logger.log_error(f"condense: {type(error).__name__}")
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(internal().to_wire()))
        tensors = zip(_OUTPUTS, flat(condensed), strict=True)
        return pb_utils.InferenceResponse([pb_utils.Tensor(name, one) for name, one in tensors])


def summarise(windows: list[list[int]]) -> list[list[int]]:
    """All windows in one request to `summariser`. Raises what it answers."""
    name = SUMMARISER.outputs[0].name
    request = pb_utils.InferenceRequest(
        model_name=SUMMARISER.name,
        requested_output_names=[name],
        inputs=[pb_utils.Tensor(SUMMARISER.inputs[0].name, pad(windows, SUMMARY_WINDOW))],
        timeout=_TIMEOUT_US,
    )
    response = request.exec()
    if response.has_error():
        raise SkynetError.from_wire(response.error().message())
    summaries = pb_utils.get_output_tensor_by_name(response, name).as_numpy()
    return unpad(np.asarray(summaries))
