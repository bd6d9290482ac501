# SPDX-License-Identifier: Apache-2.0
"""What the guided arm believes: forecasts and value curves, learned, naive or true."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bls.brain.features import build
from bls.contracts import BID_PREDICTOR, WINDOW
from bls.errors import SkynetError
from export.errors import ExportError
from pipelines_dagster.defs.market.ab.trial import Trial
from pipelines_dagster.defs.market.traits import F64, I64

F32 = NDArray[np.float32]

_EWMA_SHARE = 0.6
_SD_FLOOR = 0.02


class Forecast(Protocol):
    """mixture f32 [m, 5] of log W_-i of token t, for some conversations of a trial."""

    def __call__(self, trial: Trial, rows: I64, t: int) -> F32: ...


class Curves(Protocol):
    """v_max, a, k_0 [n, candidates] each, per unit of rate."""

    def __call__(self, trial: Trial, candidates: slice) -> tuple[F64, F64, F64]: ...


def oracle_forecast(trial: Trial, rows: I64, t: int) -> F32:
    """The simulator's own law; needs a trial drawn with it."""
    mixture: F32 = trial.mixture[rows, t]
    return mixture


def ewma_forecast(trial: Trial, rows: I64, t: int) -> F32:
    """A single log-normal: exponentially weighted mean, standard deviation of recent changes."""
    past = window(trial, rows, t)
    weight = _EWMA_SHARE ** np.arange(WINDOW - 1, -1, -1.0)
    mean = past @ weight / weight.sum()
    sd = np.maximum(np.sqrt(np.mean(np.diff(past, axis=1) ** 2, axis=1)), _SD_FLOOR)
    single = np.stack([mean, sd, mean, sd, np.ones(len(rows))], axis=1)
    mixture: F32 = single.astype(np.float32)
    return mixture


class OnnxForecast:
    """A served version of `bid_predictor`."""

    def __init__(self, folder: Path) -> None:
        """Raises `model_missing`."""
        from bls.models.onnx_model import OnnxModel  # noqa: PLC0415

        try:
            self._model = OnnxModel(folder, BID_PREDICTOR)
        except ExportError:
            raise _missing("bid_predictor") from None

    def __call__(self, trial: Trial, rows: I64, t: int) -> F32:
        ctx = trial.world.ctx[trial.ctx[rows]]
        features = build(ctx, window(trial, rows, t), np.full(len(rows), t))
        mixture: F32 = self._model.run({BID_PREDICTOR.inputs[0].name: features})[0]
        return mixture


def oracle_curves(trial: Trial, candidates: slice) -> tuple[F64, F64, F64]:
    """The readers' own curves."""
    curve = trial.curve
    return curve.v_max[:, candidates], curve.a[:, candidates], curve.k_0[:, candidates]


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

    def __call__(self, trial: Trial, candidates: slice) -> tuple[F64, F64, F64]:
        ad = trial.ad[:, candidates]
        ctx = np.broadcast_to(trial.ctx[:, None], ad.shape)
        pairs, back = np.unique(np.stack([ctx.ravel(), ad.ravel()]), axis=1, return_inverse=True)
        curves = np.array([self._curve(trial, int(c), int(a)) for c, a in pairs.T], np.float64)
        v_max, a, k_0 = curves[back.ravel(), :3].T.reshape(3, *ad.shape)
        return v_max, a, k_0

    def _curve(self, trial: Trial, ctx: int, ad: int) -> F32:
        ids, count = self._version.tokens(trial.world.texts[ad])
        return self._version.curve(trial.world.ctx[ctx], ids, count)


def window(trial: Trial, rows: I64, t: int) -> F64:
    """[m, 15] log W_-i before token t, oldest first, padded with the opening."""
    places = np.maximum(np.arange(t - WINDOW + 1, t + 1), 0)
    past: F64 = trial.log_w[rows[:, None], places]
    return past


def _missing(model: str) -> SkynetError:
    return SkynetError("model_missing", f"There is no usable {model} in the folder.", 404)
