# SPDX-License-Identifier: Apache-2.0
"""`tve` behind its tensors: a served version, curves with dV and L in f32, typed errors."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bls.brain.curve import F32, value_curve
from bls.brain.tve.stats import TveStats
from bls.brain.tve.version import Version, load
from bls.contracts import CTX
from bls.errors import SkynetError, internal, invalid
from bls.jsonlog import JsonLog
from bls.models.pointer import Pointer
from bls.models.slot import ModelSlot


class Estimate(NamedTuple):
    """Of n rows: curve [n, 4], gain (dV) [n, 48], loss (L) [n, 48], tokens i32 [n, 1]."""

    curve: F32
    gain: F32
    loss: F32
    tokens: NDArray[np.int32]


class Estimator:
    """One per process; `answer` is called by one thread."""

    def __init__(self, pointer: Pointer, log: JsonLog | None = None) -> None:
        self.stats = TveStats()
        self._log = log
        self.slot: ModelSlot[Version] = ModelSlot(
            "tve", load, pointer, log=log, refused=self._refused
        )

    def answer(
        self, ctx: F32, ads: Sequence[bytes | str], request: str = ""
    ) -> Estimate | SkynetError:
        """The estimate of every row of one request, or its error: all rows or none.

        Args:
            ctx: [n, 128] unit vectors.
            ads: n texts; bytes are UTF-8.
            request: its id, for the log.
        """
        began = time.perf_counter()
        try:
            answer: Estimate | SkynetError = self._answer(ctx, ads, request)
        except SkynetError as error:
            answer = error
        except Exception as fault:  # onnxruntime's; its text has graph details
            answer = internal()
            self._note("tve.error", code=answer.code, why=type(fault).__name__)
        self.stats.answered(len(ads), time.perf_counter() - began)
        if isinstance(answer, SkynetError):
            self.stats.errors.add(code=answer.code)
            self.stats.param_errors += answer.code == "bad_curve"
            self._note("tve.param.error", code=answer.code, req_id=request)
        return answer

    def _answer(self, ctx: F32, ads: Sequence[bytes | str], request: str) -> Estimate:
        if ctx.shape != (len(ads), CTX) or not np.isfinite(ctx).all():
            raise invalid("bad_ctx", f"CTX must be {CTX} finite numbers a row.")
        version = self.slot.current()
        tokens = [version.tokens(_text(ad)) for ad in ads]
        curve = np.stack([version.curve(row, ids) for row, ids in zip(ctx, tokens, strict=True)])
        count = np.array([[len(ids)] for ids in tokens], np.int32)
        gain, loss = value_curve(curve[:, 0], curve[:, 1], curve[:, 2], count[:, 0])
        self._debug(request, curve, gain)
        return Estimate(curve, gain, loss, count)

    def _debug(self, request: str, curve: F32, gain: F32) -> None:
        for (v_max, a, k_0, spread), steps in zip(curve.tolist(), gain, strict=True):
            self._note(
                "tve.curve.debug",
                req_id=request,
                Vmax=v_max,
                a=a,
                k0=k_0,
                spread=spread,
                monotone=bool((steps >= 0).all()),
            )

    def _refused(self, error: SkynetError, why: str) -> None:
        self._note("tve.error", code=error.code, why=why)
        self._note("alerts", alert=error.code.upper(), model="tve")

    def _note(self, stream: str, **fields: object) -> None:
        if self._log is not None:
            self._log.write(stream, **fields)


def _text(ad: bytes | str) -> str:
    if isinstance(ad, str):
        return ad
    try:
        return ad.decode()
    except UnicodeDecodeError:
        raise invalid("bad_text", "The ad is not valid UTF-8.") from None
