# SPDX-License-Identifier: Apache-2.0
"""What the guided arm believes: forecasts and value curves, learned, naive or true."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bls.brain.features import build
from bls.contracts import PREDICTOR_GRAPH, WINDOW
from bls.errors import SkynetError
from export.errors import ExportError
from pipelines_dagster.defs.market.ab.trial import Trial
from pipelines_dagster.defs.market.traits import F64

F32 = NDArray[np.float32]

_EWMA_SHARE = 0.6
_SD_FLOOR = 0.02
_BATCH = 64


class Forecast(Protocol):
    """mixture f32 [n, 5] of log W_-i of token t, for every conversation of a trial."""

    def __call__(self, trial: Trial, t: int) -> F32: ...


class Curves(Protocol):
    """v_max, a, k_0 [n, CANDIDATES] each, per unit of rate."""

    def __call__(self, trial: Trial) -> tuple[F64, F64, F64]: ...


def believe(trial: Trial, forecast: Forecast) -> Trial:
    """The trial with a forecast of every token: arms do not change W_-i, so one serves them all."""
    tokens = range(trial.log_w.shape[1] - 1)
    return replace(trial, mixture=np.stack([forecast(trial, t) for t in tokens], axis=1))


def oracle_forecast(trial: Trial, t: int) -> F32:
    """The simulator's own law; needs a trial drawn with it."""
    mixture: F32 = trial.mixture[:, t]
    return mixture


def ewma_forecast(trial: Trial, t: int) -> F32:
    """A single log-normal: exponentially weighted mean, standard deviation of recent changes."""
    past = window(trial, t)
    weight = _EWMA_SHARE ** np.arange(WINDOW - 1, -1, -1.0)
    mean = past @ weight / weight.sum()
    sd = np.maximum(np.sqrt(np.mean(np.diff(past, axis=1) ** 2, axis=1)), _SD_FLOOR)
    single = np.stack([mean, sd, mean, sd, np.ones(len(past))], axis=1)
    mixture: F32 = single.astype(np.float32)
    return mixture


class OnnxForecast:
    """A served version of `bid_predictor`."""

    def __init__(self, folder: Path) -> None:
        """Raises `model_missing`."""
        from bls.models.onnx_model import OnnxModel  # noqa: PLC0415

        try:
            self._model = OnnxModel(folder, PREDICTOR_GRAPH)
        except ExportError:
            raise _missing("bid_predictor") from None

    def __call__(self, trial: Trial, t: int) -> F32:
        past = window(trial, t)
        features = build(trial.world.ctx[trial.ctx], past, np.full(len(past), t))
        parts = np.array_split(features, max(1, len(features) // _BATCH))
        name = PREDICTOR_GRAPH.inputs[0].name
        return np.concatenate([self._model.run({name: part})[0] for part in parts])


def oracle_curves(trial: Trial) -> tuple[F64, F64, F64]:
    """The readers' own curves."""
    return trial.curve.v_max, trial.curve.a, trial.curve.k_0


class OnnxCurves:
    """A served version of `tve`; each pair of context and creative is asked once."""

    def __init__(self, folder: Path) -> None:
        """Raises `model_missing`."""
        from bls.brain.tve.version import load  # noqa: PLC0415
        from bls.models.pointer import Target  # noqa: PLC0415
        from pipelines_dagster.defs.market.dataset import sha256  # noqa: PLC0415

        try:
            self._version = load(Target("ab", folder, sha256(folder / "manifest.json")))
        except (ExportError, OSError):
            raise _missing("tve") from None

    def __call__(self, trial: Trial) -> tuple[F64, F64, F64]:
        ad = trial.ad
        ctx = np.broadcast_to(trial.ctx[:, None], ad.shape)
        pairs, back = np.unique(np.stack([ctx.ravel(), ad.ravel()]), axis=1, return_inverse=True)
        curves = np.array([self._curve(trial, int(c), int(a)) for c, a in pairs.T], np.float64)
        v_max, a, k_0 = curves[back.ravel(), :3].T.reshape(3, *ad.shape)
        return v_max, a, k_0

    def _curve(self, trial: Trial, ctx: int, ad: int) -> F32:
        return self._version.curve(
            trial.world.ctx[ctx], self._version.tokens(trial.world.texts[ad])
        )


def window(trial: Trial, t: int) -> F64:
    """[n, 15] log W_-i before token t, oldest first, padded with the opening."""
    past: F64 = trial.log_w[:, np.maximum(np.arange(t - WINDOW + 1, t + 1), 0)]
    return past


def _missing(model: str) -> SkynetError:
    return SkynetError("model_missing", f"There is no usable {model} in the folder.", 404)
