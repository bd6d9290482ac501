# SPDX-License-Identifier: Apache-2.0
"""The compiled receding-horizon controller from Python.

    rows = control(len(mixture), dv=dv, loss=loss, left=left, ...)
    weight, decision = Mpc().decide(mixture, bid, rows)

Field meanings, units and limits are those of include/mpc_contract.h and `bls.contracts`. One
object may serve any thread: it holds no state between calls.
"""

from __future__ import annotations

import ctypes
from pathlib import Path as FilePath
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bls.contracts import CONTROL, Decision
from kernels_cuda.contract import Path
from kernels_cuda.mpc_abi import LIBRARY, load
from kernels_cuda.mpc_control import control, uncontrolled

__all__ = ["CURVE", "METHOD_REFUSED", "Mpc", "MpcError", "Path", "control", "uncontrolled"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

METHOD_REFUSED = -1
"""`Decision.METHOD` of a controlled row whose numbers break a limit; its weight is 0."""

CURVE = ("F", "f", "df", "U", "dU", "ddU")
"""Columns of `Mpc.curve`: win probability, density, its slope, utility and two derivatives."""


class MpcError(ValueError):
    """The whole call was refused: arrays that do not fit, an unknown path, a refused row."""


class Mpc:
    """The library on one path."""

    def __init__(self, path: Path = Path.AUTO, library: FilePath = LIBRARY) -> None:
        self._lib = load(library)
        self._path = int(path)
        if self._lib.skynet_mpc_path(self._path) < 0:
            raise MpcError(self._message(2))

    @property
    def path(self) -> Path:
        """The path that really runs."""
        return Path(self._lib.skynet_mpc_path(self._path))

    def decide(self, mixture: NDArray[Any], bid: NDArray[Any], rows: F64) -> tuple[F32, F64]:
        """Decide n rows: mixture f32 [n, 5], bid f32 [n], rows f64 [n, 112] (`control`).

        Returns weight f32 [n] and decision f64 [n, 8] (`Decision`). Raises `MpcError` for
        shapes that do not fit; a bad row only loses its own weight (METHOD -1).
        """
        weight, decision, _ = self._decide(mixture, bid, rows, None)
        return weight, decision

    def trace(
        self, mixture: NDArray[Any], bid: NDArray[Any], rows: F64
    ) -> tuple[F32, F64, NDArray[np.int32]]:
        """`decide`, and steps i32 [n, 2]: Newton steps and bisections of the winning start."""
        steps = np.zeros((len(rows), 2), np.int32)
        weight, decision, _ = self._decide(mixture, bid, rows, steps)
        return weight, decision, steps

    def curve(self, mixture: NDArray[Any], row: F64, w: NDArray[Any]) -> F64:
        """`CURVE` f64 [m, 6] of one controlled row at weights w [m], by the running path."""
        weights = _array("w", w, np.float64, (len(w),))
        made = np.zeros((len(weights), len(CURVE)))
        ok = ctypes.c_int32()
        kept = (
            _array("mixture", mixture, np.float32, (5,)),
            _array("control", row, np.float64, (CONTROL,)),
        )
        mixture_at, row_at = (each.ctypes.data for each in kept)
        self._check(
            self._lib.skynet_mpc_curve(
                self._path,
                mixture_at,
                row_at,
                len(weights),
                weights.ctypes.data,
                made.ctypes.data,
                ctypes.byref(ok),
            )
        )
        if not ok.value:
            raise MpcError("the row breaks a limit")
        return made

    def _decide(
        self, mixture: NDArray[Any], bid: NDArray[Any], rows: F64, steps: NDArray[np.int32] | None
    ) -> tuple[F32, F64, NDArray[np.int32] | None]:
        n = len(rows)
        given = (
            _array("mixture", mixture, np.float32, (n, 5)),
            _array("bid", bid, np.float32, (n,)),
            _array("control", rows, np.float64, (n, CONTROL)),
        )
        weight, decision = np.empty(n, np.float32), np.empty((n, len(Decision)))
        addresses = (each.ctypes.data for each in (*given, weight, decision))
        self._check(
            self._lib.skynet_mpc_decide(
                self._path, n, *addresses, None if steps is None else steps.ctypes.data
            )
        )
        return weight, decision, steps

    def _check(self, status: int) -> None:
        if status:
            raise MpcError(self._message(status))

    def _message(self, status: int) -> str:
        text: bytes = self._lib.skynet_mpc_message(status)
        return text.decode()


def _array(name: str, values: Any, dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
    made = np.ascontiguousarray(values, dtype=dtype)
    if made.shape != shape:
        raise MpcError(f"{name}: expected {shape}, got {made.shape}")
    return made
