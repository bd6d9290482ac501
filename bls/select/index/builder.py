# SPDX-License-Identifier: Apache-2.0
"""What is to be built next, and building it: away from the thread that follows the database."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bls.ads.source import AdSource
from bls.models.model_key import ModelKey
from bls.models.places import Places
from bls.models.pointer import Target
from bls.models.served import served_name
from bls.select.index import version
from bls.select.index.live import LiveGeneration
from bls.select.index.protocol import F32
from bls.select.index.scan import from_database

RETRY_S = 5.0
_ADDED = 4_096
_NONE: F32 = np.empty((0, 0), np.float32)


class Job(NamedTuple):
    """Attributes:
    what: of `retry` and the log: `version`, or the axes.
    named: the version to open; None builds from the database.
    reason: `named`, `axes`, `grown`, or what broke the generation before.
    """

    what: str
    reason: str
    named: ModelKey | None
    axes: int
    p_k: F32


@dataclass
class Builder:
    """Builds one generation at a time.

    Args:
        setting: the setting `index`.
        places: where versions may lie; None opens none.
    """

    source: AdSource
    setting: str
    places: Places | None
    number: int = 0

    def build(self, job: Job, barred: frozenset[str]) -> LiveGeneration:
        """Of the database as it is, or a version whose rows are dead until it is caught up.

        Raises `SkynetError` or `ExportError`.
        """
        self.number += 1
        if job.named is None:
            name = f"database_{served_name(job.axes)[:8]}_{self.number}"
            return from_database(
                self.source, job.p_k, job.axes, self.setting, barred=barred, version=name
            )
        named = job.named
        target = Target(named.version, Path(), named.sha256, named.uri)
        folder = target.folder if self.places is None else self.places.folder(target)
        return version.read(folder, named.sha256)


class Retry:
    """What failed lately is left alone for five seconds."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def later(self, what: str) -> None:
        self._until[what] = time.monotonic() + RETRY_S

    def now(self, what: str) -> bool:
        return time.monotonic() >= self._until.get(what, 0.0)


def worn(generation: LiveGeneration) -> str:
    """Why a generation should be built again; empty while it need not be."""
    if generation.broken:
        return generation.broken
    frozen = generation.rows - generation.added
    dead = generation.rows - generation.living
    if generation.added > max(_ADDED, frozen // 8) or dead > max(_ADDED, generation.rows // 2):
        return "grown"
    return ""


def next_job(
    named: ModelKey | None,
    taken: str,
    wanted: Mapping[int, F32],
    generations: Mapping[int, LiveGeneration],
    retry: Retry,
) -> Job | None:
    """A version that is named and not yet taken; else axes without a generation; else what is worn.

    Args:
        taken: SHA-256 of the version opened last.
        wanted: P_K of the axes that were asked for, by number: no more than are kept.
    """
    if named is not None and named.sha256 != taken and retry.now(named.sha256):
        return Job(named.sha256, "named", named, 0, _NONE)
    for axes, p_k in wanted.items():
        if axes not in generations and retry.now(served_name(axes)):
            return Job(served_name(axes), "axes", None, axes, p_k)
    for axes, generation in generations.items():
        reason = worn(generation)
        if reason and retry.now(served_name(axes)):
            return Job(served_name(axes), reason, None, axes, generation.p_k)
    return None


def probe(generation: LiveGeneration, rng: np.random.Generator, count: int = 4) -> None:
    """Ask for some creatives by their own vectors; a generation that does not find half of them is
    broken, without an exception (memory or a mapped file that changed)."""
    rows = np.flatnonzero(generation.alive)
    if not len(rows) or generation.broken:
        return
    missed = 0
    for row in rng.choice(rows, min(count, len(rows)), replace=False):
        hits = generation.search(generation.vector(int(row)), 1)
        missed += not (len(hits.sims) and hits.sims[0] > 0.99)
    if 2 * missed > count and not generation.broken:
        generation.broken = "probe"
