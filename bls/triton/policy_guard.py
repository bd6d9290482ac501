# SPDX-License-Identifier: Apache-2.0
"""Triton model class of `policy_guard`: up to 32 texts with their uses in, their rulings out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from bls.contracts import POLICY_GUARD, Use, Verdict
from bls.errors import invalid
from bls.guard.guard import load_guard
from bls.guard.ruling import Ruling
from bls.guard.stats import COUNTERS
from bls.jsonlog import JsonLog
from bls.settings import load_settings
from bls.triton.answers import answered
from bls.triton.stats_exporter import StatsExporter

_TEXT, _USE = (tensor.name for tensor in POLICY_GUARD.inputs)
_VERDICT, _REASON, _SCORE = (tensor.name for tensor in POLICY_GUARD.outputs)

BLOCK_LOG, MASK_LOG = "policy_block.log", "toxicity.mask.log"
"""Streams: what was blocked, and which user texts a summary must mask. Never any words."""


class PolicyGuardModel:
    """A request that cannot be answered fails alone; a guard that cannot be loaded keeps the model
    from starting."""

    def initialize(self, args: dict[str, str]) -> None:
        settings = load_settings()
        self._guard = load_guard(settings.guard_folder())
        self._guard.warm_up()
        self._log = JsonLog(settings.logs, settings.limits.log_queue)
        self._metrics = StatsExporter(self._guard.stats, COUNTERS, {}, pb_utils)
        self._metrics.start()

    def execute(
        self, requests: list[pb_utils.InferenceRequest]
    ) -> list[pb_utils.InferenceResponse]:
        return [self._answer(request) for request in requests]

    def finalize(self) -> None:
        self._metrics.stop()
        self._log.close()

    def _answer(self, request: pb_utils.InferenceRequest) -> pb_utils.InferenceResponse:
        def work() -> list[pb_utils.Tensor]:
            texts = [_decode(text) for text in _values(request, _TEXT)]
            uses = [_use(int(use)) for use in _values(request, _USE)]
            rulings = [
                self._guard.judge([text], use)[0] for text, use in zip(texts, uses, strict=True)
            ]
            self._tell(uses, rulings)
            return _tensors(rulings)

        return answered(POLICY_GUARD.name, work)

    def _tell(self, uses: Sequence[Use], rulings: Sequence[Ruling]) -> None:
        for use, ruling in zip(uses, rulings, strict=True):
            if ruling.verdict >= Verdict.FLAGGED:
                stream = BLOCK_LOG if ruling.verdict is Verdict.BLOCKED else MASK_LOG
                self._log.write(
                    stream,
                    use=use.name.lower(),
                    reason=ruling.reason,
                    score=round(ruling.score, 4),
                )


def _values(request: pb_utils.InferenceRequest, name: str) -> list[Any]:
    return list(pb_utils.get_input_tensor_by_name(request, name).as_numpy().ravel())


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise invalid("bad_text", "The text is not valid UTF-8.", "text") from None


def _use(value: int) -> Use:
    try:
        return Use(value)
    except ValueError:
        raise invalid("bad_use", "There is no such use of a text.", "use") from None


def _tensors(rulings: Sequence[Ruling]) -> list[pb_utils.Tensor]:
    verdicts = np.array([[ruling.verdict] for ruling in rulings], np.int32)
    reasons = np.array([[ruling.reason.encode()] for ruling in rulings], np.object_)
    scores = np.array([[ruling.score] for ruling in rulings], np.float32)
    return [
        pb_utils.Tensor(_VERDICT, verdicts),
        pb_utils.Tensor(_REASON, reasons),
        pb_utils.Tensor(_SCORE, scores),
    ]
