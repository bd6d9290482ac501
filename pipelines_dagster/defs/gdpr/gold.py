# SPDX-License-Identifier: Apache-2.0
"""Frozen training sets: one that holds the subject goes whole, its card stays for the lineage.

A card has hashes and table versions, nothing of anybody. A set whose rows went before, by
retention, cannot be looked into any more: what was trained on it is taken to have seen the subject.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from export.model_manifest import dataset_hash
from pipelines_dagster.defs.gdpr.predicate import Keys, anything
from pipelines_dagster.lake.files import Files, FolderFiles, Found, open_files
from pipelines_dagster.lake.lake import Lake

CARD = "dataset.json"
LAYER = "gold"


@dataclass(frozen=True)
class GoldSet:
    """One version of a training set.

    Attributes:
        path: `gold/<name>/<version>`.
        words: what names it: its version, and every hash in its card.
        retired: its rows are gone already.
    """

    path: str
    version: str
    files: tuple[str, ...]
    words: frozenset[str]
    retired: bool


def gold_sets(lake: Lake) -> Iterator[GoldSet]:
    """Every version there is a folder of."""
    files = open_files(lake)
    folders: defaultdict[str, list[Found]] = defaultdict(list)
    for file in files.find(LAYER):
        parts = file.path.split("/")
        if len(parts) >= 4:
            folders["/".join(parts[:3])].append(file)
    for path, found in sorted(folders.items()):
        card = _card(files, f"{path}/{CARD}", {one.path for one in found})
        data = tuple(one.path for one in found if one.path.endswith(".parquet"))
        version = path.rsplit("/", 1)[1]
        hashed = {dataset_hash(files.root / path)} if isinstance(files, FolderFiles) else set()
        words = frozenset({version, *_hashes(card), *hashed})
        yield GoldSet(path, version, data, words, not data)


def holds(lake: Lake, one: GoldSet, keys: Keys) -> int:
    """Rows of the set that are the subject's."""
    files, total = open_files(lake), 0
    for path in one.files:
        content = io.BytesIO(files.read(path))
        wanted = anything(keys, pl.Schema(pl.read_parquet_schema(content)))
        if wanted is not None:
            names = sorted(set(wanted.meta.root_names()))
            total += pl.read_parquet(content, columns=names).filter(wanted).height
    return total


def remove(lake: Lake, one: GoldSet) -> int:
    """Remove the rows of a set and leave its card; how many files went."""
    open_files(lake).remove(one.files)
    return len(one.files)


def _card(files: Files, path: str, known: set[str]) -> Any:
    if path not in known:
        return {}
    try:
        return json.loads(files.read(path))
    except ValueError:
        return {}


def _hashes(value: Any) -> Iterator[str]:
    """Every SHA-256 in a card."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from _hashes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _hashes(inner)
    elif isinstance(value, str) and len(value) == 64 and not value.strip("0123456789abcdef"):
        yield value
