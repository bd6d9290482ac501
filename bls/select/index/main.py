# SPDX-License-Identifier: Apache-2.0
"""The frozen part of a generation: the rows that were there when it was built."""

from __future__ import annotations

from typing import Protocol

from bls.select.index.protocol import F32, I64, Mask


class MainIndex(Protocol):
    """Usable from several threads; one query uses one thread.

    `near` and `scored` give candidates (rows i64 [h] in no order, each once; exact cosines f32 [h])
    among which the best are. `keep` is bool [rows]; None keeps all. Whatever goes wrong inside may
    raise any exception: the generation answers in its place.
    """

    kind: str

    @property
    def rows(self) -> int: ...

    def vectors(self, rows: I64 | slice) -> F32:
        """The stored vectors, f32 [h, 128]."""

    def near(self, ctx: F32, k: int, keep: Mask | None) -> tuple[I64, F32]:
        """Candidates for the `k` nearest rows."""

    def scored(
        self, ctx: F32, lambda_sem: float, values: F32, k: int, keep: Mask | None
    ) -> tuple[I64, F32]:
        """Candidates for the `k` best by `lambda_sem sim + (1 - lambda_sem) value`; `values` is f32
        [<= rows], and rows beyond it are out."""
