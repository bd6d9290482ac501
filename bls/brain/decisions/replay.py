# SPDX-License-Identifier: Apache-2.0
"""The replay of logged decisions: the compiled controller decides every line again.

Deciding is deterministic, so a line whose w* has other bits was changed, or was decided by another
build. Writes `replay.diff.csv`, a line per difference, and returns totals (seed MPC-S-03).
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from bls.brain.decisions.lines import Json, files, read
from bls.brain.decisions.rebuild import kernel_inputs
from bls.contracts import Decision
from bls.errors import SkynetError
from kernels_cuda.mpc import Mpc, MpcError
from kernels_cuda.mpc import Path as Simd

CSV = "replay.diff.csv"
DIFFERING = 0.001
"""Largest share of lines that may differ or be unreadable (seed MPC-S-03)."""

_CLOSE = 1e-6
_BATCH = 1_024
_COLUMNS = ("where", "conv_id", "request_id", "token_idx", "row", "what", "logged", "replayed")
_DECIDED = {
    "w_star": Decision.W_STAR,
    "util": Decision.UTILITY,
    "pace": Decision.PACE,
    "sigma_eff": Decision.SIGMA_EFF,
    "neg_cnt": Decision.NEG_CNT,
    "abandon": Decision.ABANDON,
    "plan_id": Decision.PLAN_ID,
    "method": Decision.METHOD,
}

Where = tuple[str, Json]
F64 = NDArray[np.float64]


@dataclass
class Replay:
    """Totals of a replay.

    Attributes:
        differ: records in which any decided number is another one.
        foreign: records decided on an instruction set this processor lacks: theirs may be off by
            1e-6, and how they were solved does not count.
        malformed: lines that are no record, and where the first few are.
        logged, replayed: SHA-256 over the w* of all records, as logged and as decided again.
    """

    records: int = 0
    differ: int = 0
    foreign: int = 0
    malformed: int = 0
    first_malformed: list[str] = field(default_factory=list)
    logged: str = ""
    replayed: str = ""

    @property
    def ok(self) -> bool:
        """Few enough differ or cannot be read (seed MPC-S-03)."""
        lines = self.records + self.malformed
        return self.differ + self.malformed <= DIFFERING * lines

    def as_json(self) -> dict[str, Any]:
        return {"ok": self.ok, **vars(self)}


class _Replayer:
    """Decides batches of lines, each on the instruction set that decided them first."""

    def __init__(self, out: TextIO) -> None:
        self.totals = Replay()
        self._table = csv.writer(out)
        self._table.writerow(_COLUMNS)
        self._kernels: dict[int, tuple[Mpc, bool]] = {}
        self._hashes = (hashlib.sha256(), hashlib.sha256())

    def add(self, batch: list[Where]) -> None:
        """Lines of one instruction set."""
        lines = [line for _, line in batch]
        inputs = kernel_inputs(lines)
        self.totals.records += len(batch)
        kernel, foreign = self._kernel(lines[0]["path"])
        self.totals.foreign += len(batch) * foreign
        weight, decision = kernel.decide(*inputs)
        now = {name: decision[:, place] for name, place in _DECIDED.items()}
        self._compare(batch, {**now, "weight": weight.astype(np.float64)}, foreign)

    def finish(self) -> Replay:
        self.totals.logged, self.totals.replayed = (h.hexdigest() for h in self._hashes)
        return self.totals

    def _kernel(self, path: int) -> tuple[Mpc, bool]:
        """A kernel on that instruction set, or on ours and True."""
        if path not in self._kernels:
            try:
                self._kernels[path] = Mpc(Simd(path)), False
            except (MpcError, ValueError):
                self._kernels[path] = Mpc(), True
        return self._kernels[path]

    def _compare(self, batch: list[Where], now: dict[str, F64], foreign: bool) -> None:
        then = {name: np.array([line[name] for _, line in batch], np.float64) for name in now}
        for hashed, values in zip(self._hashes, (then, now), strict=True):
            hashed.update(np.ascontiguousarray(values["w_star"]).tobytes())
        unlike = {name: _unlike(then[name], now[name], foreign) for name in now}
        if foreign:
            unlike["method"][:] = False
        self.totals.differ += int(np.logical_or.reduce(list(unlike.values())).sum())
        for name, places in unlike.items():
            for number in np.flatnonzero(places):
                self._difference(batch[number], name, then[name][number], now[name][number])

    def _difference(self, at: Where, what: str, then: object, now: object) -> None:
        where, line = at
        key = (line[name] for name in ("conv_id", "request_id", "token_idx", "row"))
        self._table.writerow((where, *key, what, then, now))


def replay_decisions(
    path: Path, out: Path, progress: Callable[[float], None] = lambda share: None
) -> Replay:
    """Decide every line of `path`, a log folder or one file, again; `out` gets the CSV.

    Raises:
        SkynetError: `no_records`, `backend_missing` when the controller is not built.
    """
    found = files(path)
    with out.open("w", newline="", encoding="utf-8") as file:
        replayer = _Replayer(file)
        try:
            for batch, share in _batches(found, replayer.totals):
                for _, same in groupby(batch, key=lambda one: one[1]["path"]):
                    replayer.add(list(same))
                progress(share)
        except FileNotFoundError:
            raise SkynetError(
                "backend_missing", "The controller is not built; run `make setup`.", 500
            ) from None
        return replayer.finish()


def _batches(found: list[Path], totals: Replay) -> Iterator[tuple[list[Where], float]]:
    """Records in batches, and the share of all bytes read; counts the lines that are none."""
    size, seen = max(1, sum(path.stat().st_size for path in found)), 0
    batch: list[Where] = []
    for path in found:
        for where, length, record in read(path):
            seen += length
            if record is None:
                totals.malformed += 1
                if len(totals.first_malformed) < 20:
                    totals.first_malformed.append(where)
            else:
                batch.append((where, record))
            if len(batch) == _BATCH:
                yield batch, seen / size
                batch = []
    yield from [(batch, 1.0)] if batch else []


def _unlike(then: F64, now: F64, foreign: bool) -> NDArray[np.bool_]:
    """Where two columns are not the same numbers; two not-a-numbers are."""
    if foreign:
        near = np.isclose(then, now, _CLOSE, _CLOSE, equal_nan=True)
    else:
        near = (then == now) | (np.isnan(then) & np.isnan(now))
    return np.asarray(~near)
