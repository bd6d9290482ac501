# SPDX-License-Identifier: Apache-2.0
"""Where days are made: here, one after the other, or on a Ray cluster, many at a time.

Both run the same function on the same versions of the sources, so the rows are the same to the bit.
Frames travel as Arrow IPC.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from bls.errors import SkynetError

Work = Callable[[str], pl.DataFrame]
LOCAL = "local"


class Engine(Protocol):
    def run(self, work: Work, days: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The frame of each day, in their order. Errors of `work` are raised."""
        ...


@dataclass(frozen=True)
class Here:
    """This process; polars uses its threads."""

    def run(self, work: Work, days: Sequence[str]) -> Iterator[pl.DataFrame]:
        return map(work, days)


HERE = Here()


@dataclass(frozen=True)
class OnRay:
    """A Ray cluster, through Ray Data.

    Args:
        address: of the cluster; `local` starts one here with `cpus`, and it stays until the
            process ends.
    """

    address: str = LOCAL
    cpus: int = 2

    def run(self, work: Work, days: Sequence[str]) -> Iterator[pl.DataFrame]:
        import ray.data  # noqa: PLC0415 (seconds, only where needed)

        self.connect()
        if not days:
            return
        blocks = ray.data.from_items([{"day": day} for day in days], override_num_blocks=len(days))
        made = blocks.map(_Made(work))
        rows = {row["day"]: row for row in made.iter_rows()}
        for day in days:
            row = rows.pop(day)
            if row["fault"]:
                raise SkynetError(**json.loads(row["fault"]))
            yield pl.read_ipc(io.BytesIO(row["frame"]))

    def connect(self) -> None:
        """Join the cluster, or start a local one, unless this process already has."""
        import ray  # noqa: PLC0415

        if ray.is_initialized():
            return
        environment = {"env_vars": {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}}
        options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
        if self.address == LOCAL:
            options |= {"num_cpus": self.cpus, "include_dashboard": False}
            options["runtime_env"] = environment
        else:
            options["address"] = self.address
        ray.init(**options)
        ray.data.DataContext.get_current().enable_progress_bars = False


@dataclass(frozen=True)
class _Made:
    """`work` as Ray Data runs it: a row in, a row out, and a typed error as a row too."""

    work: Work

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        buffer, fault = io.BytesIO(), ""
        try:
            self.work(row["day"]).write_ipc(buffer)
        except SkynetError as error:
            told = {"code": error.code, "message": error.message, "status": error.status}
            fault = json.dumps(told)
        return {"day": row["day"], "frame": buffer.getvalue(), "fault": fault}


def engine_of(ray: str) -> Engine:
    """By the setting `ray`: empty runs here."""
    return OnRay(ray) if ray else HERE
