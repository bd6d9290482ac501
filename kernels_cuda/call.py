# SPDX-License-Identifier: Apache-2.0
"""One auction's arguments as the C interface wants them, checked and kept alive."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels_cuda.abi import ROW, DrawKey, Input, Reply, Top
from kernels_cuda.contract import TOP, Draw, LogitTypeError, Mode, Outcome, ShapeError

_LOGIT_TYPES = {np.dtype(np.float32): 0, np.dtype(np.float16): 1, np.dtype(np.uint16): 2}


class Call:
    """Prepared arguments and where their results land; valid for as long as it lives."""

    def __init__(
        self,
        logits: NDArray[Any],
        weights: NDArray[Any],
        temperature: float,
        draw: Draw | None = None,
        top: bool = False,
    ) -> None:
        kind = _LOGIT_TYPES.get(logits.dtype)
        if kind is None:
            raise LogitTypeError(f"expected float32, float16 or uint16, got {logits.dtype}")
        if logits.ndim != 2:
            raise ShapeError(f"logits: expected [rows, vocab], got shape {logits.shape}")
        weights = np.ascontiguousarray(weights, dtype=np.float32)
        if weights.shape != logits.shape[:1]:
            raise ShapeError(f"weights: expected {logits.shape[:1]}, got {weights.shape}")
        if logits.strides[1] != logits.itemsize or logits.strides[0] % logits.itemsize:
            logits = np.ascontiguousarray(logits)
        rows, vocab = logits.shape
        self._keep = (logits, weights)
        self.input = Input(
            logits=logits.ctypes.data,
            weights=weights.ctypes.data,
            row_stride=logits.strides[0] // logits.itemsize if rows > 1 else vocab,
            rows=rows,
            vocab=vocab,
            type=kind,
            temperature=temperature,
            draw=DrawKey(draw.seed, draw.conv, draw.index) if draw else DrawKey(),
            mode=Mode.SAMPLE if draw else Mode.ARGMAX,
        )
        self.reply = Reply()
        self.rows = np.zeros(rows, dtype=ROW)
        self.top_id = np.empty((rows, TOP), np.int32) if top else None
        self.top_logit = np.empty((rows, rows * TOP), np.float32) if top else None
        self._top = Top(_address(self.top_id), _address(self.top_logit))
        self.arguments = (
            ctypes.byref(self.input),
            ctypes.byref(self.reply),
            self.rows.ctypes.data,
            ctypes.byref(self._top) if top else None,
        )

    def outcome(self) -> Outcome:
        """What the last run wrote."""
        return Outcome(
            token=self.reply.token,
            ref_token=self.reply.ref_token,
            margin=self.reply.margin,
            near_tie=bool(self.reply.near_tie),
            blend_token=self.reply.blend,
            precise=bool(self.reply.precise),
            p_token=self.rows["p_token"],
            pay=self.rows["pay"],
            critical_bid=self.rows["critical_bid"],
            log_z=self.rows["log_z"],
            w_minus=self.rows["w_minus"],
            row_status=self.rows["status"],
            drawn_row=self.reply.drawn_row,
            top_id=self.top_id,
            top_logit=self.top_logit,
        )


def _address(values: NDArray[Any] | None) -> int | None:
    return None if values is None else values.ctypes.data
