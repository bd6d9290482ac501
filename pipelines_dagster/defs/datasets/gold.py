# SPDX-License-Identifier: Apache-2.0
"""Training sets: frozen folders in the market dataset's format, named by a hash of what is in them.

`<root>/<name>/<version>/` has the tables, `held/` the same of conversations that are never trained
on, and each a `dataset.json`: hashes, rows, lake versions, Kafka offsets. The version is a hash of
the files, so the same rows give the same folder again and nothing is ever written over.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import polars as pl

from bls.errors import SkynetError, invalid
from pipelines_dagster.defs.datasets import validity
from pipelines_dagster.defs.datasets.gold_tables import (
    Scan,
    Tables,
    delivered,
    predictor_tables,
    tve_tables,
)
from pipelines_dagster.defs.datasets.lineage import offsets_of, versions_behind
from pipelines_dagster.defs.datasets.tables import recipes
from pipelines_dagster.defs.market.dataset import CARD, load_card, whole, write_tables
from pipelines_dagster.lake.lake import PARTITION, Lake
from pipelines_dagster.lake.partitions import days_of, version_of

PREDICTOR, TVE = "predictor_dataset", "tve_dataset"
HELD = "held"
VERSION = 1
SOURCES = {
    PREDICTOR: ("silver/bids", "silver/contexts"),
    TVE: ("silver/tve_samples", "silver/contexts", "silver/ads"),
}


@dataclass(frozen=True)
class GoldOptions:
    """What of the lake goes into a training set.

    Attributes:
        days: how far back from the newest day there is.
        rows: at most so many bids or samples, the newest.
        held: share of the conversations kept out of training.
        settle_s: samples younger than this, by the newest one, may still be clicked and are left
            out; of 90 days that would be few, so none are by default.
    """

    days: int = 90
    rows: int = 5_000_000
    held: float = 0.1
    settle_s: float = 0.0

    def __post_init__(self) -> None:
        if min(self.days, self.rows) < 1 or not 0 < self.held < 1 or self.settle_s < 0:
            raise invalid("bad_gold_options", "days and rows are at least 1, held is a share.")


@dataclass(frozen=True)
class Frozen:
    """`fresh`: it was not there before."""

    folder: Path
    card: dict[str, Any]
    fresh: bool


def freeze(lake: Lake, name: str, root: Path, options: GoldOptions = GoldOptions()) -> Frozen:
    """Make a training set from the silver tables as they are now.

    Args:
        name: `predictor_dataset` or `tve_dataset`.
        root: local folder of training sets.

    Raises:
        SkynetError: `unknown_dataset`, `no_table` before the silver tables exist,
            `dataset_empty` when a table would have no rows, held-out ones included.
    """
    if name not in SOURCES:
        raise SkynetError("unknown_dataset", "There is no such training set.", 404)
    pinned = {table: version_of(lake, table) for table in SOURCES[name]}
    versions = {table: version for table, version in pinned.items() if version is not None}
    for table in pinned.keys() - versions.keys():
        raise SkynetError("no_table", f"The lake has no table {table}.", 404)
    days = _window(lake, SOURCES[name][0], versions, options.days)

    def scan(table: str) -> pl.LazyFrame:
        rows = lake.scan(table, versions[table])
        return rows.filter(pl.col(PARTITION).is_between(pl.lit(days[0]), pl.lit(days[1])))

    train, held = _BUILD[name](scan, options)
    behind = versions_behind(lake, recipes(), SOURCES[name], versions)
    origin = {
        "version": VERSION,
        "name": name,
        "source": "lake",
        "days": list(days),
        "options": asdict(options),
        "lake": behind,
        "offsets": offsets_of(lake, behind),
        validity.LEFT_OUT: validity.left_out(delivered(scan)) if name == TVE else 0,
        "code": code_version(),
        "created_at": round(time.time(), 3),
    }
    return _place(root / name, train, held, origin)


def latest(root: Path, name: str) -> Path | None:
    """The training set made last of those whose rows are there; None before the first."""
    folders = [path.parent for path in (root / name).glob(f"*/{CARD}") if whole(path.parent)]
    cards = [(load_card(folder), folder) for folder in folders]
    return max(cards, key=lambda made: made[0]["created_at"])[1] if cards else None


def code_version() -> str:
    """The package's version and a hash of the code that makes datasets."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources))
    return f"{package_version('skynet-ads')}+{digest.hexdigest()[:16]}"


def _predictor(scan: Scan, options: GoldOptions) -> tuple[Tables, Tables]:
    return predictor_tables(scan, options.rows, options.held)


def _tve(scan: Scan, options: GoldOptions) -> tuple[Tables, Tables]:
    newest = scan("silver/tve_samples").select(pl.col("ts").max()).collect().item()
    until = newest - options.settle_s if options.settle_s and newest is not None else None
    return tve_tables(scan, options.rows, options.held, until)


_BUILD: dict[str, Callable[[Scan, GoldOptions], tuple[Tables, Tables]]] = {
    PREDICTOR: _predictor,
    TVE: _tve,
}


def _window(lake: Lake, table: str, versions: dict[str, int], days: int) -> tuple[str, str]:
    """First and last day."""
    known = days_of(lake, table, versions[table])
    if not known:
        raise SkynetError("dataset_empty", f"Table {table} has no rows.")
    last = max(known)
    return (date.fromisoformat(last) - timedelta(days=days - 1)).isoformat(), last


def _place(root: Path, train: Tables, held: Tables, origin: dict[str, Any]) -> Frozen:
    """Write beside the others, then rename: a set is there whole or not at all.

    Of one that was retired the card is left; it gets its rows back.
    """
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=root) as making:
        fresh = Path(making) / "set"
        cards: dict[Path, dict[str, Any]] = {}
        for part, tables in ((fresh, train), (fresh / HELD, held)):
            files = write_tables(part, tables)
            cards[part] = {"rows": {n: t.height for n, t in tables.items()}, "files": files}
        content = _content({str(p.relative_to(fresh)): c["files"] for p, c in cards.items()})
        folder = root / content[:16]
        if whole(folder) and whole(folder / HELD):
            return Frozen(folder, load_card(folder), fresh=False)
        about = origin | {"content_sha256": content, "held_rows": cards[fresh / HELD]["rows"]}
        for part, card in cards.items():
            (part / CARD).write_text(json.dumps(about | card, indent=2) + "\n")
        _move(fresh, folder)
    return Frozen(folder, load_card(folder), fresh=True)


def _move(fresh: Path, folder: Path) -> None:
    """Rename; where there is a folder already file by file, its card last."""
    if not folder.exists():
        fresh.rename(folder)
        return
    files = [path for path in fresh.rglob("*") if path.is_file()]
    for path in sorted(files, key=lambda path: path == fresh / CARD):
        target = folder / path.relative_to(fresh)
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)


def _content(files: dict[str, dict[str, str]]) -> str:
    """SHA-256 of every file's name and hash."""
    lines = sorted(f"{part}/{name} {sha}" for part, of in files.items() for name, sha in of.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
