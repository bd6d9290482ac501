# SPDX-License-Identifier: Apache-2.0
"""`bid_predictor` behind its tensors: a served version, requests run as one batch, typed errors.

Anything that would make a forecast wrong is an error of the request instead: features that are not
finite, a version without its PCA, a mixture outside its domain. Source: competitor_bid 2.3, C-03.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bls.brain.forecast.pca import check_pca
from bls.brain.forecast.predictor_stats import PredictorStats
from bls.contracts import BID_PREDICTOR
from bls.errors import SkynetError, invalid
from bls.jsonlog import JsonLog
from bls.models.onnx_model import OnnxModel, zeros
from bls.models.pointer import Pointer, Target
from bls.models.slot import ModelSlot

F32 = NDArray[np.float32]
_INPUT = BID_PREDICTOR.inputs[0].name


class Predictor:
    """One per process; `answer` is called by one thread."""

    def __init__(self, pointer: Pointer, log: JsonLog | None = None) -> None:
        self.stats = PredictorStats()
        self._log = log
        self.slot = ModelSlot("bid_predictor", load, pointer, log=log, refused=self._refused)

    def answer(self, requests: Sequence[F32]) -> list[F32 | SkynetError]:
        """For every request's features [R, 150] its mixtures [R, 5], or its error."""
        began = time.perf_counter()
        answers = self._answer(requests)
        took = time.perf_counter() - began
        self.stats.executed(len(requests), sum(map(len, requests)), took)
        for answer in answers:
            if isinstance(answer, SkynetError):
                self.stats.errors.add(code=answer.code)
        return answers

    def _answer(self, requests: Sequence[F32]) -> list[F32 | SkynetError]:
        try:
            model = self.slot.current()
        except SkynetError as error:
            return [error] * len(requests)
        usable = [bool(np.isfinite(features).all()) for features in requests]
        batch = [features for features, good in zip(requests, usable, strict=True) if good]
        ends = np.cumsum([len(features) for features in batch])
        found = iter(_split(model, np.concatenate(batch), ends) if batch else ())
        return [next(found) if good else _bad_features() for good in usable]

    def _refused(self, error: SkynetError, why: str) -> None:
        name = error.code.upper()
        self.stats.alerts.add(alert=name)
        if self._log is not None:
            self._log.write("feature_builder.error", code=error.code, why=why)
            self._log.write("alerts", alert=name, model="bid_predictor")


def load(target: Target) -> OnnxModel:
    """A version that has passed every check, warmed up. Raises `ExportError` or `pca_missing`."""
    check_pca(target.folder)
    model = OnnxModel(target.folder, BID_PREDICTOR, target.sha256)
    for rows in (1, 4):
        (mixture,) = model.run(zeros(BID_PREDICTOR, rows))
        if mixture.shape != (rows, 5) or not sane(mixture):
            raise SkynetError("model_missing", "The model failed its probe.", 503)
    return model


def sane(mixture: F32) -> bool:
    """mu finite, sigma finite and above 0, alpha in [0, 1], on every row."""
    sigma, alpha = mixture[:, [1, 3]], mixture[:, 4]
    domain = (sigma > 0).all() and (alpha >= 0).all() and (alpha <= 1).all()
    return bool(domain and np.isfinite(mixture).all())


def _split(model: OnnxModel, batch: F32, ends: NDArray[Any]) -> list[F32 | SkynetError]:
    """One run over all rows, cut into requests again."""
    try:
        (mixture,) = model.run({_INPUT: batch})
    except Exception:  # onnxruntime's; its text has graph details
        return [_bad_forecast()] * len(ends)
    parts = np.split(mixture, ends[:-1])
    return [part if sane(part) else _bad_forecast() for part in parts]


_bad_features = partial(invalid, "bad_features", "FEATURES must be finite.")
_bad_forecast = partial(SkynetError, "bad_forecast", "The forecast failed.", 500)
