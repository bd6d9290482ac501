# SPDX-License-Identifier: Apache-2.0
"""The compiled auction from Python: `libskynet_auction.so` through ctypes.

    with Auction() as auction:
        outcome = auction.run(logits, weights, temperature=0.7)

Field meanings, units and limits are those of include/auction_contract.h.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path as FilePath
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

LIBRARY = FilePath(__file__).parent / "build" / "libskynet_auction.so"
MAX_ROWS = 33
MAX_VOCAB = 1 << 18


class Path(IntEnum):
    """Which code runs; AUTO takes the widest the processor has."""

    AUTO = 0
    SCALAR = 1
    AVX2 = 2
    AVX512 = 3


class RowStatus(IntEnum):
    """Why a row took no part in the token."""

    OK = 0
    NOT_FINITE = 1
    EMPTY = 2
    BAD_WEIGHT = 3


class AuctionError(ValueError):
    """The whole reply was refused."""


class ShapeError(AuctionError):
    """Rows or vocabulary out of range, or arrays that do not fit together."""


class LogitTypeError(AuctionError):
    """Logits are neither float32, float16 nor bfloat16 bits (uint16)."""


class TemperatureError(AuctionError):
    """Temperature not finite, or not above 0."""


class ReferenceRowError(AuctionError):
    """Row 0 is unusable, so nothing can be blended."""


class WeightError(AuctionError):
    """The valid weights sum to 0."""


class PathError(AuctionError):
    """Unknown path, or one this processor lacks."""


_ERRORS: dict[int, type[AuctionError]] = {
    1: ShapeError,
    2: ShapeError,
    3: LogitTypeError,
    4: TemperatureError,
    5: ReferenceRowError,
    6: WeightError,
    7: PathError,
}
_LOGIT_TYPES = {np.dtype(np.float32): 0, np.dtype(np.float16): 1, np.dtype(np.uint16): 2}


class _Input(ctypes.Structure):
    _fields_ = [
        ("logits", ctypes.c_void_p),
        ("weights", ctypes.c_void_p),
        ("row_stride", ctypes.c_int64),
        ("rows", ctypes.c_int32),
        ("vocab", ctypes.c_int32),
        ("type", ctypes.c_int32),
        ("temperature", ctypes.c_float),
    ]


class _Reply(ctypes.Structure):
    _fields_ = [
        ("margin", ctypes.c_double),
        ("blend", ctypes.c_double),
        ("token", ctypes.c_int32),
        ("ref_token", ctypes.c_int32),
        ("near_tie", ctypes.c_int32),
        ("precise", ctypes.c_int32),
    ]


_ROW = np.dtype(
    [
        ("p_token", np.float64),
        ("pay", np.float64),
        ("critical_bid", np.float64),
        ("w_minus", np.float32),
        ("status", np.int32),
    ]
)


@dataclass(frozen=True)
class Outcome:
    """One reply's outcome; arrays have one entry per row, row 0 the reference."""

    token: int
    ref_token: int
    margin: float
    near_tie: bool
    blend_token: float  # N(token)
    precise: bool  # normalisers were summed in float64
    p_token: NDArray[np.float64]
    pay: NDArray[np.float64]
    critical_bid: NDArray[np.float64]
    w_minus: NDArray[np.float32]
    row_status: NDArray[np.int32]


def load(library: FilePath = LIBRARY) -> ctypes.CDLL:
    """Load the library and check that its structs are the ones declared here."""
    if not library.exists():
        raise FileNotFoundError(f"{library.name} is not built: run make -C kernels_cuda")
    lib = ctypes.CDLL(str(library))
    pointer, integer = ctypes.c_void_p, ctypes.c_int32
    lib.skynet_auction_new.restype = pointer
    lib.skynet_auction_free.argtypes = [pointer]
    lib.skynet_auction_run.argtypes = [pointer, integer, pointer, pointer, pointer]
    lib.skynet_auction_blend.argtypes = [pointer, integer, pointer, pointer]
    lib.skynet_auction_path.argtypes = [integer]
    lib.skynet_auction_message.argtypes = [integer]
    lib.skynet_auction_message.restype = ctypes.c_char_p
    sizes = (integer * 3)()
    lib.skynet_auction_sizes(sizes)
    expected = [ctypes.sizeof(_Input), ctypes.sizeof(_Reply), _ROW.itemsize]
    if list(sizes) != expected:
        raise ImportError(f"auction library: expected structs {expected}, got {list(sizes)}")
    return lib


class Auction:
    """A workspace and the library behind it. One per thread; close it or use `with`."""

    def __init__(self, path: Path = Path.AUTO, library: FilePath = LIBRARY) -> None:
        self._workspace: int | None = None
        self._lib = load(library)
        self._path = int(path)
        if self._lib.skynet_auction_path(self._path) < 0:
            raise PathError(self._message(7))
        self._workspace = self._lib.skynet_auction_new()
        if not self._workspace:
            raise MemoryError("auction workspace")

    @property
    def path(self) -> Path:
        """The path that really runs."""
        return Path(self._lib.skynet_auction_path(self._path))

    def run(self, logits: NDArray[Any], weights: NDArray[Any], temperature: float) -> Outcome:
        """Auction one token: logits [rows, vocab] f32, f16 or bf16 bits; weights [rows]."""
        call, keep = self._input(logits, weights, temperature)
        reply, rows = _Reply(), np.zeros(call.rows, dtype=_ROW)
        self._check(
            self._lib.skynet_auction_run(
                self._workspace,
                self._path,
                ctypes.byref(call),
                ctypes.byref(reply),
                rows.ctypes.data,
            )
        )
        del keep
        return Outcome(
            token=reply.token,
            ref_token=reply.ref_token,
            margin=reply.margin,
            near_tie=bool(reply.near_tie),
            blend_token=reply.blend,
            precise=bool(reply.precise),
            p_token=rows["p_token"],
            pay=rows["pay"],
            critical_bid=rows["critical_bid"],
            w_minus=rows["w_minus"],
            row_status=rows["status"],
        )

    def blend(
        self, logits: NDArray[Any], weights: NDArray[Any], temperature: float
    ) -> NDArray[np.float64]:
        """N(x) of every token, with the running path's own normalisers."""
        call, keep = self._input(logits, weights, temperature)
        out = np.zeros(call.vocab)
        self._check(
            self._lib.skynet_auction_blend(
                self._workspace, self._path, ctypes.byref(call), out.ctypes.data
            )
        )
        del keep
        return out

    def bind(
        self, logits: NDArray[Any], weights: NDArray[Any], temperature: float
    ) -> Callable[[], int]:
        """The same auction with its arguments prepared: each call returns only the token."""
        call, keep = self._input(logits, weights, temperature)
        reply, rows = _Reply(), np.zeros(call.rows, dtype=_ROW)
        arguments = (ctypes.byref(call), ctypes.byref(reply), rows.ctypes.data)

        def run(_keep: object = (keep, rows)) -> int:
            self._check(self._lib.skynet_auction_run(self._workspace, self._path, *arguments))
            return int(reply.token)

        return run

    def close(self) -> None:
        """Free the workspace; safe to call twice."""
        if self._workspace:
            self._lib.skynet_auction_free(self._workspace)
        self._workspace = None

    def __enter__(self) -> Auction:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _input(
        self, logits: NDArray[Any], weights: NDArray[Any], temperature: float
    ) -> tuple[_Input, tuple[NDArray[Any], NDArray[Any]]]:
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
        stride = logits.strides[0] // logits.itemsize if rows > 1 else vocab
        call = _Input(
            logits.ctypes.data, weights.ctypes.data, stride, rows, vocab, kind, temperature
        )
        return call, (logits, weights)

    def _check(self, status: int) -> None:
        if status:
            raise _ERRORS.get(status, AuctionError)(self._message(status))

    def _message(self, status: int) -> str:
        text: bytes = self._lib.skynet_auction_message(status)
        return text.decode()
