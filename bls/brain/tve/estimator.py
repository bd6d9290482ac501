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
from bls.models.models import Digests
from bls.models.served import served_id
from bls.models.serving import Kind, Serving


class Estimate(NamedTuple):
    """Of n rows: curve [n, 4], gain (dV) [n, 48], loss (L) [n, 48], tokens i32 [n, 1], and the
    version behind each, u64 [n, 1]."""

    curve: F32
    gain: F32
    loss: F32
    tokens: NDArray[np.int32]
    served: Digests


class Estimator(Serving[Version, TveStats]):
    """Contexts and ads to value curves; keys are the rows' conversations."""

    kind = Kind("tve", load, TveStats)

    def answer(
        self,
        ctx: F32,
        ads: Sequence[bytes | str],
        request: str = "",
        keys: Digests | None = None,
    ) -> Estimate | SkynetError:
        """The estimate of every row of one request, or its error: all rows or none.

        Args:
            ctx: [n, 128] unit vectors.
            ads: n texts; bytes are UTF-8.
            request: its id, for the log.
            keys: [n] the conversations behind the rows; None: the champion answers.
        """
        began = time.perf_counter()
        try:
            answer: Estimate | SkynetError = self._answer(ctx, ads, request, keys)
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

    def _answer(
        self, ctx: F32, ads: Sequence[bytes | str], request: str, keys: Digests | None
    ) -> Estimate:
        if ctx.shape != (len(ads), CTX) or not np.isfinite(ctx).all():
            raise invalid("bad_ctx", f"CTX must be {CTX} finite numbers a row.")
        champion, texts = self.models.champion.current(), [_text(ad) for ad in ads]
        rows = self.models.for_canary(keys)
        canary = None if rows is None else self.models.canary(int(rows.sum()))
        mine = [False] * len(texts) if rows is None or canary is None else rows.tolist()
        found = [
            self._row(champion, canary if own else None, vector, text)
            for vector, text, own in zip(ctx, texts, mine, strict=True)
        ]
        curve = np.stack([one.curve for one in found])
        count = np.array([[one.tokens] for one in found], np.int32)
        served = np.array([[one.served] for one in found], np.uint64)
        gain, loss = value_curve(curve[:, 0], curve[:, 1], curve[:, 2], count[:, 0])
        self._debug(request, curve, gain)
        return Estimate(curve, gain, loss, count, served)

    def _row(self, champion: Version, canary: Version | None, ctx: F32, text: str) -> _Row:
        """The canary's answer where there is one and it can, else the champion's."""
        if canary is not None:
            try:
                row = _ask(canary, ctx, text)
            except Exception as fault:  # also a bad curve; the champion says whether the ad is bad
                reason = fault.code if isinstance(fault, SkynetError) else "failed"
                self.models.missed(1, reason)
            else:
                self.models.answered(1)
                return row
        return _ask(champion, ctx, text)

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
        self._alert(error)


class _Row(NamedTuple):
    """`curve` [4]; `served`: see `bls.models.served`."""

    curve: F32
    tokens: int
    served: int


def _ask(version: Version, ctx: F32, text: str) -> _Row:
    ids = version.tokens(text)
    return _Row(version.curve(ctx, ids), len(ids), served_id(version.sha256))


def _text(ad: bytes | str) -> str:
    if isinstance(ad, str):
        return ad
    try:
        return ad.decode()
    except UnicodeDecodeError:
        raise invalid("bad_text", "The ad is not valid UTF-8.") from None
