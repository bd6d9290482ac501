# SPDX-License-Identifier: Apache-2.0
"""The compiled auction from Python: `libskynet_auction.so` through ctypes.

    with Auction() as auction:
        outcome = auction.run(logits, weights, temperature=0.7)
        drawn = auction.run(logits, weights, 0.7, draw=Draw(seed=1, conv=2, index=3))

Field meanings, units and limits are those of include/auction_contract.h.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path as FilePath
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels_cuda.abi import LIBRARY, load
from kernels_cuda.call import Call
from kernels_cuda.contract import (
    ERRORS,
    MAX_ROWS,
    MAX_VOCAB,
    TOP,
    AuctionError,
    Draw,
    DrawError,
    LogitTypeError,
    Mode,
    Outcome,
    Path,
    PathError,
    ReferenceRowError,
    RowStatus,
    ShapeError,
    TemperatureError,
    WeightError,
)

__all__ = [
    "MAX_ROWS",
    "MAX_VOCAB",
    "TOP",
    "Auction",
    "AuctionError",
    "Draw",
    "DrawError",
    "LogitTypeError",
    "Mode",
    "Outcome",
    "Path",
    "PathError",
    "ReferenceRowError",
    "RowStatus",
    "ShapeError",
    "TemperatureError",
    "WeightError",
]


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

    def run(
        self,
        logits: NDArray[Any],
        weights: NDArray[Any],
        temperature: float,
        *,
        draw: Draw | None = None,
        top: bool = False,
    ) -> Outcome:
        """Auction one token: logits [rows, vocab] f32, f16 or bf16 bits; weights [rows].

        With `draw` the token is drawn from the blend, otherwise it is the blend's argmax. `top`
        asks for the audit outputs.
        """
        call = Call(logits, weights, temperature, draw, top)
        self.call(call)
        return call.outcome()

    def call(self, call: Call) -> None:
        """Run prepared arguments; the results are in them afterwards."""
        self._check(self._lib.skynet_auction_run(self._workspace, self._path, *call.arguments))

    def draws(
        self,
        logits: NDArray[Any],
        weights: NDArray[Any],
        temperature: float,
        first: Draw,
        count: int,
    ) -> NDArray[np.int32]:
        """Tokens of `count` draws from the same rows, their indices counted up from `first`."""
        call = Call(logits, weights, temperature, first)
        tokens = np.empty(count, np.int32)
        self._check(
            self._lib.skynet_auction_draws(
                self._workspace, self._path, call.arguments[0], count, tokens.ctypes.data
            )
        )
        return tokens

    def blend(
        self, logits: NDArray[Any], weights: NDArray[Any], temperature: float
    ) -> NDArray[np.float64]:
        """N(x) of every token, with the running path's own normalisers."""
        call = Call(logits, weights, temperature)
        out = np.zeros(call.input.vocab)
        self._check(
            self._lib.skynet_auction_blend(
                self._workspace, self._path, call.arguments[0], out.ctypes.data
            )
        )
        return out

    def bind(
        self,
        logits: NDArray[Any],
        weights: NDArray[Any],
        temperature: float,
        *,
        draw: Draw | None = None,
        top: bool = False,
    ) -> Callable[[], int]:
        """The same auction with its arguments prepared: each call returns only the token."""
        call = Call(logits, weights, temperature, draw, top)

        def run() -> int:
            self.call(call)
            return int(call.reply.token)

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

    def _check(self, status: int) -> None:
        if status:
            raise ERRORS.get(status, AuctionError)(self._message(status))

    def _message(self, status: int) -> str:
        text: bytes = self._lib.skynet_auction_message(status)
        return text.decode()
