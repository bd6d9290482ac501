# SPDX-License-Identifier: Apache-2.0
"""A generation that answers: the frozen main index, what was added since, and what has died.

When the main index fails, whatever it raised, the generation says so (`broken`) and looks at every
stored vector instead while there are not too many: slower, the same answer. The keeper then builds
another one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from bls.ads.records import CreativeRecord
from bls.brain.context import axes
from bls.errors import SkynetError
from bls.select.index.delta import Delta
from bls.select.index.main import MainIndex
from bls.select.index.protocol import F32, I32, I64, Hits, Mask
from bls.select.index.rows import Rows, choosable
from bls.select.index.top import best

EXHAUSTIVE_MOST = 262_144
"""Rows up to which a failed index is answered for by a scan, about 10 ms at the most."""


class LiveGeneration:
    """A `Generation`.

    Args:
        rows: one for each row of `main`, in its order.
        p_k: f32 [128, 384], what `axes` names.
        seq: of the last record that is in it.
        stored: msg_id -> (row, version of the text) of rows of `main` that are dead until a record
            says that they are wanted: an index from disk.

    Attributes:
        broken: why it needs to be built again; empty while it is well.
        failures: searches that the main index did not answer.
        main: the frozen part.
    """

    def __init__(
        self,
        main: MainIndex,
        rows: Rows,
        p_k: F32,
        *,
        axes: int,
        version: str,
        seq: int = 0,
        stored: Mapping[str, tuple[int, int]] = MappingProxyType({}),
    ) -> None:
        self.axes, self.version, self.seq = axes, version, seq
        self.p_k = p_k
        self.broken = ""
        self.failures = 0
        self._stored = stored
        self._changing = threading.Lock()
        self._worth: tuple[F32 | None, F32] = (None, np.empty(0, np.float32))
        self.main = main
        self._rows, self._delta = rows, Delta()

    @property
    def kind(self) -> str:
        return self.main.kind

    @property
    def rows(self) -> int:
        return len(self._rows)

    @property
    def living(self) -> int:
        """Rows that may be chosen now."""
        return self._rows.living

    @property
    def added(self) -> int:
        """Rows that came since it was built."""
        return len(self._delta.vectors)

    @property
    def alive(self) -> Mask:
        return self._rows.alive

    @property
    def campaign(self) -> I32:
        return self._rows.campaign

    @property
    def campaigns(self) -> Sequence[str]:
        return self._rows.campaigns

    @property
    def revision(self) -> int:
        return self._rows.revision

    def record(self, row: int) -> CreativeRecord | None:
        return self._rows.record(row)

    def row_of(self, msg_id: str) -> int | None:
        """The row of a creative that may be chosen."""
        return self._rows.row_of(msg_id)

    def vector(self, row: int) -> F32:
        """The stored vector of a row, f32 [128]."""
        at = row - self.main.rows
        found: F32 = self._delta.vectors[at] if at >= 0 else self.main.vectors(np.array([row]))[0]
        return found

    def apply(self, records: Iterable[CreativeRecord], barred: frozenset[str]) -> list[str]:
        """Take changes of the database over, in order; the ids that got a new row.

        `barred` are never taken, whatever the database says.
        """
        made = []
        with self._changing:
            for record in records:
                self.seq = max(self.seq, record.seq)
                if record.msg_id in barred or not choosable(record):
                    self._rows.kill(record.msg_id)
                elif (row := self._rows.same(record)) is not None:
                    self._rows.update(row, record)
                else:
                    self._take(record)
                    made.append(record.msg_id)
        return made

    def _take(self, record: CreativeRecord) -> None:
        """Into its row of the main index if it has one that is dead, else into a new one."""
        row, version = self._stored.get(record.msg_id, (-1, 0))
        if row >= 0 and version == record.version and self._rows.record(row) is None:
            self._rows.give(row, record)
        else:
            self._delta.add(vector_of(record, self.p_k))
            self._rows.add(record)

    def kill(self, msg_ids: Iterable[str]) -> int:
        """These are never given again; how many were there."""
        with self._changing:
            return sum(self._rows.kill(msg_id) for msg_id in msg_ids)

    def search(self, ctx: F32, k: int, allowed: Mask | None = None) -> Hits:
        """The `k` nearest rows, see `Generation`."""
        keep = self._kept(allowed)
        rows, sims = self._asked(lambda main, some: main.near(ctx, k, some), ctx, keep)
        return self._best(rows, sims, sims, k, keep)

    def search_scored(
        self, ctx: F32, lambda_sem: float, values: F32, k: int, allowed: Mask | None = None
    ) -> Hits:
        """The `k` best by similarity and value, see `Generation`."""
        worth = self._of_main(values)
        keep = self._kept(allowed)
        if keep is None and len(values) < self.rows:
            keep = self.alive
        if keep is not None:
            keep = keep[: len(values)]
        rows, sims = self._asked(
            lambda main, some: main.scored(ctx, lambda_sem, worth, k, some), ctx, keep
        )
        inside = rows < len(values)
        rows, sims = rows[inside], sims[inside]
        scores = (lambda_sem * sims + (1 - lambda_sem) * values[rows]).astype(np.float32)
        return self._best(rows, sims, scores, k, keep)

    def _of_main(self, values: F32) -> F32:
        """The values of the main index's rows: the same array for the same array, see `Bands`."""
        whole, part = self._worth
        if whole is not values:
            part = values[: self.main.rows]
            self._worth = values, part
        return part

    def _kept(self, allowed: Mask | None) -> Mask | None:
        """bool [<= rows]: alive and allowed; None while every row is."""
        alive = self._rows.alive
        if allowed is None:
            return None if self._rows.living == len(alive) else alive
        shared = min(len(alive), len(allowed))
        keep: Mask = alive[:shared] & allowed[:shared]
        return keep

    def _asked(
        self,
        ask: Callable[[MainIndex, Mask | None], tuple[I64, F32]],
        ctx: F32,
        keep: Mask | None,
    ) -> tuple[I64, F32]:
        """Candidates of the main index and every added row."""
        count, added = self.main.rows, self._delta.vectors
        some = None if keep is None else _as_long(keep, count)
        if self.broken and count <= EXHAUSTIVE_MOST:
            rows, sims = self._exhaustive(ctx)
        else:
            try:
                rows, sims = ask(self.main, some)
                _check(rows, sims, count)
            except Exception as fault:  # faiss raises bare RuntimeErrors, a bad map OSErrors, ...
                self.failures += 1
                self.broken = self.broken or type(fault).__name__
                rows, sims = self._exhaustive(ctx)
        new = np.arange(count, count + len(added))
        return np.concatenate([rows, new]), np.concatenate([sims, added @ ctx])

    def _exhaustive(self, ctx: F32) -> tuple[I64, F32]:
        if self.main.rows > EXHAUSTIVE_MOST:
            raise failed()
        try:
            sims = self.main.vectors(slice(None)) @ ctx
        except Exception:
            raise failed() from None
        return np.arange(len(sims)), sims

    def _best(self, rows: I64, sims: F32, scores: F32, k: int, keep: Mask | None) -> Hits:
        alive = self._rows.alive
        left = rows < len(alive)
        left[left] = alive[rows[left]]
        if keep is not None:
            known = rows < len(keep)
            left &= known
            left[left] = keep[rows[left]]
        rows, sims, scores = rows[left], sims[left], scores[left]
        top = best(rows, scores, k)
        return Hits(rows[top], sims[top], scores[top])


def _as_long(keep: Mask, count: int) -> Mask:
    """The first `count` rows; those that it does not speak of are out."""
    return np.pad(keep[:count], (0, max(0, count - len(keep))))


def _check(rows: I64, sims: F32, count: int) -> None:
    if len(rows) and (rows.min() < 0 or rows.max() >= count):
        raise IndexError("rows that are not there")
    if not np.isfinite(sims).all():
        raise FloatingPointError("cosines that are no numbers")


def vector_of(record: CreativeRecord, p_k: F32) -> F32:
    """The axis vector f32 [128] of a creative's stored embedding."""
    return axes.project(p_k, embedding(record))


def embedding(record: CreativeRecord) -> F32:
    """Its stored embedding, f32 [384]. Raises `ValueError` where there is none."""
    if record.embedding is None:
        raise ValueError("no embedding was stored")
    return np.frombuffer(record.embedding, "<f2").astype(np.float32)


def failed() -> SkynetError:
    """No answer of the index."""
    return SkynetError("index_failed", "The index of creatives did not answer.", 503)
