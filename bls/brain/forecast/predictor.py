# SPDX-License-Identifier: Apache-2.0
"""`bid_predictor` behind its tensors: a served version, requests run as one batch, typed errors.

Anything that would make a forecast wrong is an error of the request instead: features that are not
finite, a version without its PCA, a mixture outside its domain. Source: competitor_bid 2.3, C-03.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bls.brain.forecast.predictor_stats import PredictorStats
from bls.contracts import PREDICTOR_GRAPH
from bls.errors import SkynetError, invalid
from bls.jsonlog import JsonLog
from bls.models.keys import ModelKeys
from bls.models.models import Digests, Models
from bls.models.onnx_model import OnnxModel, zeros
from bls.models.places import Places
from bls.models.pointer import Pointer, Target
from bls.models.served import served_id
from export.bid_predictor.artefact import verify
from export.errors import ExportError

F32 = NDArray[np.float32]
_INPUT = PREDICTOR_GRAPH.inputs[0].name


class Forecast(NamedTuple):
    """Of one request: mixture f32 [R, 5], and the version behind each row, u64 [R, 1]."""

    mixture: F32
    served: Digests


class Predictor:
    """One per process; `answer` is called by one thread.

    Args:
        pointer: says which version serves while no key does.
    """

    def __init__(
        self,
        pointer: Pointer,
        log: JsonLog | None = None,
        keys: ModelKeys | None = None,
        places: Places | None = None,
    ) -> None:
        self.stats = PredictorStats()
        self._log = log
        self.models = Models(
            "bid_predictor", load, pointer, keys, places=places, log=log, refused=self._refused
        )
        self.slot = self.models.champion

    def answer(
        self, requests: Sequence[F32], keys: Sequence[Digests] | None = None
    ) -> list[Forecast | SkynetError]:
        """For every request its forecast, or its error.

        Args:
            requests: features [R, 150] each.
            keys: the conversations [R] behind its rows; None: the champion answers.
        """
        began = time.perf_counter()
        answers = self._answer(requests, keys)
        took = time.perf_counter() - began
        self.stats.executed(len(requests), sum(map(len, requests)), took)
        for answer in answers:
            if isinstance(answer, SkynetError):
                self.stats.errors.add(code=answer.code)
        return answers

    def _answer(
        self, requests: Sequence[F32], keys: Sequence[Digests] | None
    ) -> list[Forecast | SkynetError]:
        try:
            model = self.slot.current()
        except SkynetError as error:
            return [error] * len(requests)
        usable = [bool(np.isfinite(features).all()) for features in requests]
        good = [place for place, fine in enumerate(usable) if fine]
        if not good:
            return [_bad_features() for _ in requests]
        batch = np.concatenate([requests[place] for place in good])
        digests = None if keys is None else np.concatenate([keys[place] for place in good])
        found = self._run(model, batch, digests)
        ends = np.cumsum([len(requests[place]) for place in good])[:-1]
        parts = iter(zip(np.split(found.mixture, ends), np.split(found.served, ends), strict=True))
        return [_checked(*next(parts)) if fine else _bad_features() for fine in usable]

    def _run(self, champion: OnnxModel, batch: F32, digests: Digests | None) -> Forecast:
        """One run over all rows; two while a canary answers some of them."""
        served = np.full((len(batch), 1), served_id(champion.sha256), np.uint64)
        rows = self.models.for_canary(digests)
        canary = None if rows is None else self.models.canary(int(rows.sum()))
        if rows is None or canary is None:
            return Forecast(_mixture(champion, batch), served)
        mixture = _mixture(canary, batch[rows])
        if not sane(mixture):
            self.models.missed(len(mixture), "bad_forecast")
            return Forecast(_mixture(champion, batch), served)
        self.models.answered(len(mixture))
        served[rows] = served_id(canary.sha256)
        if rows.all():
            return Forecast(mixture, served)
        whole = np.empty((len(batch), mixture.shape[1]), np.float32)
        whole[rows], whole[~rows] = mixture, _mixture(champion, batch[~rows])
        return Forecast(whole, served)

    def _refused(self, error: SkynetError, why: str) -> None:
        name = error.code.upper()
        self.stats.alerts.add(alert=name)
        if self._log is not None:
            self._log.write("feature_builder.error", code=error.code, why=why)
            self._log.write("alerts", alert=name, model="bid_predictor")


def load(target: Target) -> OnnxModel:
    """A version that has passed every check, warmed up.

    The projection 150 -> 128 is part of the graph; its matrix lies beside it, and a version that
    has lost it is not trusted. Raises `pca_missing` (503) then, else `ExportError`.
    """
    try:
        verify(target.folder)
    except ExportError as error:
        if error.code != "pca_missing":
            raise
        raise SkynetError("pca_missing", "The feature projection is not available.", 503) from None
    model = OnnxModel(target.folder, PREDICTOR_GRAPH, target.sha256)
    for rows in (1, 4):
        (mixture,) = model.run(zeros(PREDICTOR_GRAPH, rows))
        if mixture.shape != (rows, 5) or not sane(mixture):
            raise SkynetError("model_missing", "The model failed its probe.", 503)
    return model


def sane(mixture: F32) -> bool:
    """mu finite, sigma finite and above 0, alpha in [0, 1], on every row."""
    sigma, alpha = mixture[:, [1, 3]], mixture[:, 4]
    domain = (sigma > 0).all() and (alpha >= 0).all() and (alpha <= 1).all()
    return bool(domain and np.isfinite(mixture).all())


def _mixture(model: OnnxModel, batch: F32) -> F32:
    """Mixtures [n, 5], not numbers where the model failed."""
    try:
        (mixture,) = model.run({_INPUT: batch})
    except Exception:  # onnxruntime's; its text has graph details
        return np.full((len(batch), 5), np.nan, np.float32)
    return mixture


def _checked(mixture: F32, served: Digests) -> Forecast | SkynetError:
    return Forecast(mixture, served) if sane(mixture) else _bad_forecast()


_bad_features = partial(invalid, "bad_features", "FEATURES must be finite.")
_bad_forecast = partial(SkynetError, "bad_forecast", "The forecast failed.", 500)
