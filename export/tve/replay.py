# SPDX-License-Identifier: Apache-2.0
"""Stored events on several model versions, through the serving code (TVE-S-04).

A version answers an event with the same bits whenever it is asked; between versions the distance of
the curves is reported.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bls.brain.curve import value
from bls.brain.tve.estimator import Estimate, Estimator
from bls.errors import SkynetError
from bls.models.pointer import FolderPointer
from export.tve.data import SAMPLES, load_table, vectors, worlds
from export.tve.publish import VERSIONS

F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Events:
    """n stored events: context vectors [n, 128] and ad texts."""

    ctx: F32
    ads: list[str]


def events_of(dataset: Path, count: int, seed: int) -> Events:
    """`count` impressions of a dataset, in a random order (all of them when there are fewer)."""
    world = worlds(dataset)[0]
    rows = load_table(world, SAMPLES).select("ctx_id", "ad_id")
    picked = np.random.default_rng(seed).permutation(len(rows))[:count]
    contexts, ads = load_table(world, "contexts.parquet"), load_table(world, "ads.parquet")
    joined = rows[picked].join(contexts, on="ctx_id", maintain_order="left")
    joined = joined.join(ads.select("ad_id", "text"), on="ad_id", maintain_order="left")
    return Events(vectors(joined, "ctx_vec"), joined["text"].to_list())


def replay(out: Path, events: Events, path: Path, versions: tuple[str, ...] = VERSIONS) -> Any:
    """Every version's hash over all answers, and the distance between neighbouring versions.

    Writes `path`: one line an event with each version's v_max, a and k_0.

    Returns:
        {"events": n, "sha256": {version: hex}, "same_twice": {version: bool},
        "difference": {"one to other": mean |V - V'| as a share of the mean V}}
    """
    answers = {version: _answers(out / version, events) for version in versions}
    again = {version: _answers(out / version, events) for version in versions}
    _write(path, answers)
    curves = {version: values(answer.curve) for version, answer in answers.items()}
    return {
        "events": len(events.ads),
        "sha256": {version: _sha256(answer) for version, answer in answers.items()},
        "same_twice": {v: _sha256(answers[v]) == _sha256(again[v]) for v in versions},
        "difference": {
            f"{one} to {other}": float(
                np.abs(curves[one] - curves[other]).mean() / curves[one].mean()
            )
            for one, other in pairwise(versions)
        },
    }


def values(curve: F32) -> F32:
    """V(1) .. V(48) [n, 48] of curves [n, 4]."""
    return value(curve[:, 0], curve[:, 1], curve[:, 2])


def _answers(folder: Path, events: Events, batch: int = 8) -> Estimate:
    """A freshly loaded version's answers to all events, a reply's worth at a time."""
    estimator = Estimator(FolderPointer(folder))
    estimator.models.champion.poll()
    parts: list[Estimate] = []
    for start in range(0, len(events.ads), batch):
        answer = estimator.answer(
            events.ctx[start : start + batch], events.ads[start : start + batch]
        )
        if isinstance(answer, SkynetError):
            raise answer
        parts.append(answer)
    return Estimate(*(np.concatenate(field) for field in zip(*parts, strict=True)))


def _sha256(answer: Estimate) -> str:
    digest = hashlib.sha256()
    for part in answer[:-1]:  # not which version it was
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def _write(path: Path, answers: dict[str, Estimate]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        names = [f"{v}_{p}" for v in answers for p in ("v_max", "a", "k_0")]
        lines.writerow(["event", *names])
        table = np.concatenate([answer.curve[:, :3] for answer in answers.values()], axis=1)
        lines.writerows([number, *row] for number, row in enumerate(table.tolist()))
