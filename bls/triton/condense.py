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
from bls.jsonlog import JsonLog
from bls.policy.filter import load_filter
from bls.settings import load_settings
from bls.triton.answers import answered
from bls.triton.ask import ask
from bls.triton.stats_exporter import StatsExporter

_IDS, _SALT = (tensor.name for tensor in CONDENSE.inputs)
_OUTPUTS = [tensor.name for tensor in CONDENSE.outputs]


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

        def work() -> list[pb_utils.Tensor]:
            condensed = self._condenser.condense(ids.tolist(), int(salt[0]))
            tensors = zip(_OUTPUTS, flat(condensed), strict=True)
            return [pb_utils.Tensor(name, one) for name, one in tensors]

        return answered(CONDENSE.name, work)


def summarise(windows: list[list[int]]) -> list[list[int]]:
    """All windows in one request to `summariser`. Raises what it answers."""
    name = SUMMARISER.outputs[0].name
    ids = pb_utils.Tensor(SUMMARISER.inputs[0].name, pad(windows, SUMMARY_WINDOW))
    return unpad(np.asarray(ask(SUMMARISER, ids)[name]))
