# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `select`: a reply's context in, the creatives that take part out."""

from __future__ import annotations

import numpy as np
import triton_python_backend_utils as pb_utils

from bls.contracts import SELECT
from bls.jsonlog import JsonLog
from bls.keys import stats as key_stats
from bls.models import stats as slot_stats
from bls.select.index import stats as index_stats
from bls.select.service import SelectService
from bls.select.stats import COUNTERS, GAUGES
from bls.settings import load_settings
from bls.triton.answers import answered
from bls.triton.stats_exporter import StatsExporter

_INPUTS = tuple(tensor.name for tensor in SELECT.inputs)
_CHOSEN = SELECT.outputs[0].name
_LOG = {"mro_log_dropped_total": ("dropped", "Lines of the selection that were not written")}


class SelectModel:
    """Answers with an error, and stays up, while it has no index or no database."""

    def initialize(self, args: dict[str, str]) -> None:
        settings = load_settings()
        self._log = JsonLog(settings.logs, settings.limits.log_queue)
        self._service = service = SelectService(settings, self._log)
        service.start()
        series = [
            (service.stats, COUNTERS, GAUGES),
            (service.keeper.stats, index_stats.COUNTERS, index_stats.GAUGES),
            (self._log, _LOG, {}),
            (service.axes.slot.stats, *_slot("mro_select_axes")),
            (service.weights.stats, *_key("mro_lambda")),
            (service.conf.stats, *_key("mro_conf_selector")),
        ]
        self._metrics = [StatsExporter(*each, pb_utils) for each in series]
        for exporter in self._metrics:
            exporter.start()

    def execute(
        self, requests: list[pb_utils.InferenceRequest]
    ) -> list[pb_utils.InferenceResponse]:
        return [self._answer(request) for request in requests]

    def finalize(self) -> None:
        self._service.stop()
        for exporter in self._metrics:
            exporter.stop()
        self._log.close()

    def _answer(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        asked, ctx, axes = (
            pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in _INPUTS
        )

        def work() -> list[pb_utils.Tensor]:
            chosen = self._service.answer(asked[0], ctx, int(axes[0]))
            return [pb_utils.Tensor(_CHOSEN, np.array([chosen], np.object_))]

        return answered(SELECT.name, work)


def _slot(prefix: str) -> tuple[dict[str, tuple[str, str]], dict[str, tuple[str, str]]]:
    return slot_stats.counters(prefix), slot_stats.gauges(prefix)


def _key(prefix: str) -> tuple[dict[str, tuple[str, str]], dict[str, tuple[str, str]]]:
    return key_stats.counters(prefix), key_stats.gauges(prefix)
