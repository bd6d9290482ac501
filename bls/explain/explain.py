# SPDX-License-Identifier: Apache-2.0
"""One explanation: the five tokens that move an ad's predicted v_max most."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bls.brain.context.encoder import ContextEncoder
from bls.explain.request import ExplainRequest
from bls.explain.shapley import attribute
from bls.explain.value_model import ValueModel
from bls.limits import LIMITS

TOP = 5


class Explain:
    """`encoder` makes the axis vector of a context; `model()` is the version that serves now."""

    def __init__(self, encoder: ContextEncoder, model: Callable[[], ValueModel]) -> None:
        self._encoder = encoder
        self._model = model

    def __call__(self, request: ExplainRequest) -> dict[str, Any]:
        """The answer of `/v1/explain` (docs/explain.md).

        Raises `empty_text` or `bad_text` for the context, `empty_ad`, `model_missing`.
        """
        took, started = _Watch(), time.thread_time()
        model = self._model()
        ctx_vec = self._encoder.vector(request.context)
        context_ms = took()
        tokens = model.tokens(request.ad)
        count = len(tokens.texts)

        def v_max(shown: NDArray[np.bool_]) -> NDArray[np.float64]:
            return model.curves(ctx_vec, tokens, shown)[:, 0].astype(np.float64)

        found = attribute(v_max, count, LIMITS.explain_evaluations)
        curve = model.curves(ctx_vec, tokens, np.ones((1, count), bool))[0]
        order = np.lexsort((np.arange(count), -np.abs(found.values)))[:TOP]
        return {
            "tokens": [tokens.texts[at] for at in order],
            "positions": [int(at) for at in order],
            "shap": [float(found.values[at]) for at in order],
            "rest": float(found.values.sum() - found.values[order].sum()),
            "base_value": found.base,
            "prediction": float(found.base + found.values.sum()),
            "explained": "v_max",
            "curve": dict(zip(("v_max", "a", "k_0", "spread"), map(float, curve), strict=True))
            | {"tokens": count},
            "evaluations": found.evaluations,
            "context_ms": round(context_ms, 3),
            "shap_ms": round(took(), 3),
            "cpu_ms": round((time.thread_time() - started) * 1e3, 3),
        }


class _Watch:
    """Milliseconds since the last call."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def __call__(self) -> float:
        before, self._last = self._last, time.perf_counter()
        return (self._last - before) * 1e3


def warm_up(explain: Callable[[ExplainRequest], object]) -> None:
    """First calls are slow; they belong to the start."""
    explain(ExplainRequest(context="warm", ad="warm up"))
