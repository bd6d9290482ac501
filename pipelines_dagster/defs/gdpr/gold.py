# SPDX-License-Identifier: Apache-2.0
"""Frozen training sets: one that holds the subject goes whole, its card stays for the lineage.

A set numbers contexts and ads anew and may name nobody: one made of tables that had the subject, on
its days, goes too.

A card has hashes and table versions, nothing of anybody. A set whose rows went before, by
retention, cannot be looked into any more: what was trained on it is taken to have seen the subject.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from export.model_manifest import dataset_hash
from pipelines_dagster.defs.gdpr.predicate import Keys, anything
from pipelines_dagster.lake.files import FolderFiles, open_files
from pipelines_dagster.lake.lake import Lake

CARD = "dataset.json"
LAYER = "gold"


@dataclass(frozen=True)
class GoldSet:
    """One version of a training set.

    Attributes:
        path: `gold/<name>/<version>`.
        words: what names it in a manifest or ledger: path, hash of its card, of its files.
        retired: its rows are gone already.
        tables, days: of the lake that it was made of, by its card.
    """

    path: str
    files: tuple[str, ...]
    words: frozenset[str]
    retired: bool
    tables: frozenset[str] = frozenset()
    days: tuple[str, str] = ("", "9999-12-31")

    def saw(self, days: Mapping[str, tuple[str, str]]) -> bool:
        """Whether it was made of a table that had the subject on one of its days."""
        return any(
            low <= self.days[1] and self.days[0] <= high
            for table, (low, high) in days.items()
            if table in self.tables
        )


def gold_sets(lake: Lake) -> Iterator[GoldSet]:
    """Every version there is a folder of."""
    files = open_files(lake)
    folders: defaultdict[str, list[str]] = defaultdict(list)
    for file in files.find(LAYER):
        parts = file.path.split("/")
        if len(parts) >= 4:
            folders["/".join(parts[:3])].append(file.path)
    for path, found in sorted(folders.items()):
        words, card = {path}, _card(b"")
        if f"{path}/{CARD}" in found:
            text = files.read(f"{path}/{CARD}")
            words.add(hashlib.sha256(text).hexdigest())
            card = _card(text)
        data = tuple(one for one in found if one.endswith(".parquet"))
        if data and isinstance(files, FolderFiles):
            words.add(dataset_hash(files.root / path))
        days = tuple(card.get("days", ())) or ("", "9999-12-31")
        tables = frozenset(card.get("lake", ()))
        yield GoldSet(path, data, frozenset(words), not data, tables, (days[0], days[-1]))


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


def _card(text: bytes) -> dict[str, Any]:
    """What a card says; nothing of one that is damaged."""
    try:
        card = json.loads(text)
    except ValueError:
        return {}
    return card if isinstance(card, dict) else {}
