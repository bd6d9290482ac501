# SPDX-License-Identifier: Apache-2.0
"""Models that learned from the subject: marked, and trained anew before long.

A served champion goes on serving: weights hold no rows, and pulling it would hurt everybody else.
It is `invalidated` in the registry and in `ops/model_invalidations`, which makes a retraining due;
the next training reads datasets that no longer have the rows.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from export.manifest import MANIFEST_NAME, file_sha256
from pipelines_dagster.lake.lake import Lake
from pipelines_dagster.settings import PipelineSettings

TABLE = "ops/model_invalidations"
TAG = "invalidated"
_PROMOTIONS = "ops/promotions"

_COLUMNS = {
    "request": pl.String,
    "subsystem": pl.String,
    "version": pl.String,
    "sha256": pl.String,
    "dataset": pl.String,
    "at": pl.Float64,
}


@dataclass(frozen=True)
class Trained:
    """A model version; `sha256`: of its manifest, empty where only the registry knows it."""

    subsystem: str
    version: str
    sha256: str
    dataset: str


def trained_on(settings: PipelineSettings, lake: Lake, words: Iterable[str]) -> list[Trained]:
    """Versions whose manifest, promotion or registry entry names one of the datasets' `words`."""
    named = frozenset(words)
    if not named:
        return []
    found: dict[tuple[str, str], Trained] = {}
    for one in (*_in_store(settings, named), *_in_promotions(lake, named)):
        found.setdefault((one.subsystem, one.version), one)
    return [found[key] for key in sorted(found)]


def invalidate(
    settings: PipelineSettings, lake: Lake, request: str, words: Iterable[str]
) -> list[Trained]:
    """Mark them, each once; which are marked now."""
    named = frozenset(words)
    marked = trained_on(settings, lake, named)
    known = _known(lake)
    fresh = [one for one in marked if (one.subsystem, one.version) not in known]
    if fresh:
        rows = [{"request": request, "at": time.time()} | asdict(one) for one in fresh]
        lake.append(TABLE, pl.DataFrame(rows, schema=_COLUMNS))
    return marked + _tag(settings, request, named, {one.version for one in marked})


def retrain_due(lake: Lake, subsystem: str, version: str) -> bool:
    """Whether this version, the champion say, learned from what was erased since."""
    return (subsystem, version) in _known(lake)


def _known(lake: Lake) -> set[tuple[str, str]]:
    if lake.open(TABLE) is None:
        return set()
    return set(lake.scan(TABLE).select("subsystem", "version").collect().rows())


def _in_store(settings: PipelineSettings, words: frozenset[str]) -> Iterator[Trained]:
    root = settings.serving.models_folder
    for manifest in sorted(root.glob(f"*/*/{MANIFEST_NAME}")):
        if word := _named(manifest.read_text(encoding="utf-8"), words):
            folder: Path = manifest.parent
            yield Trained(folder.parent.name, folder.name, file_sha256(manifest), word)


def _in_promotions(lake: Lake, words: frozenset[str]) -> Iterator[Trained]:
    """Also where the artefacts are in a bucket."""
    if lake.open(_PROMOTIONS) is None:
        return
    columns = ("subsystem", "version", "sha256", "details")
    rows = lake.scan(_PROMOTIONS).select(columns).unique().sort("version").collect()
    for subsystem, version, sha256, details in rows.rows():
        if word := _named(details, words):
            yield Trained(subsystem, version, sha256, word)


def _named(text: str, words: frozenset[str]) -> str:
    return next((word for word in sorted(words) if word in text), "")


def _tag(
    settings: PipelineSettings, request: str, words: frozenset[str], versions: set[str]
) -> list[Trained]:
    """Tag the registry's entries; those that only the registry knows."""
    path = settings.registry_uri.removeprefix("sqlite:///")
    if path != settings.registry_uri and not Path(path).exists():
        return []
    from mlflow import MlflowClient  # noqa: PLC0415  (slow, and only where there is a registry)

    client = MlflowClient(tracking_uri=settings.registry_uri, registry_uri=settings.registry_uri)
    only = []
    for entry in client.search_model_versions():
        run = client.get_run(entry.run_id).data if entry.run_id else None
        about = [*entry.tags.values(), *(run.params.values() if run else ())]
        about += list(run.tags.values()) if run else []
        word = _named("\n".join(about), words)
        if word or versions & set(about):
            client.set_model_version_tag(entry.name, entry.version, TAG, request)
            if not versions & set(about):
                only.append(Trained(entry.name, str(entry.version), "", word))
    return only
