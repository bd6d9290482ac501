# SPDX-License-Identifier: Apache-2.0
"""What goes wrong with a store, as typed errors that repeat none of its words.

A store's own text names hosts, paths and sometimes an access key.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import polars as pl
from deltalake.exceptions import CommitFailedError, DeltaError

from bls.errors import SkynetError

T = TypeVar("T")

ATTEMPTS = 8
"""Of a commit that another writer's keeps beating."""


@contextmanager
def guarded(table: str, conflict: SkynetError | None = None) -> Iterator[None]:
    """Raises `conflict` (or `lake_conflict`) for a lost race, `lake_unavailable` otherwise."""
    try:
        yield
    except CommitFailedError:
        raise conflict or _conflict(table) from None
    except (DeltaError, OSError, pl.exceptions.PolarsError) as fault:
        kind = type(fault).__name__
        raise SkynetError(
            "lake_unavailable", f"The store of {table} failed: {kind}.", 503
        ) from None


def insist(table: str, step: Callable[[], T], attempts: int = ATTEMPTS) -> T:
    """Do a step that reads a table and commits what it made of it, again after a lost race.

    Raises `lake_conflict` after `attempts`.
    """
    for attempt in range(attempts):
        try:
            with guarded(table):
                return step()
        except SkynetError as fault:
            if fault.code != "lake_conflict" or attempt == attempts - 1:
                raise
            time.sleep(random.uniform(0.01, 0.05) * 2**attempt)
    raise _conflict(table)


def _conflict(table: str) -> SkynetError:
    return SkynetError("lake_conflict", f"Other writers of {table} were first.", 409)
