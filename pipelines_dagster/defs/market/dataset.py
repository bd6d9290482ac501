# SPDX-License-Identifier: Apache-2.0
"""Market datasets on disk: Parquet (zstd 9) with its columns checked on the way out and in.

`load_dataset` gives what models may see; `load_truth` the rest, for evaluation only. A folder with
a file missing, damaged, empty or of other columns is refused with a typed error (TVE-C-06).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from bls.errors import SkynetError
from pipelines_dagster.defs.market.schema import SEEN, TABLES, TRUTH, Columns

CARD = "dataset.json"
_ZSTD = 9


@dataclass(frozen=True)
class Dataset:
    """What models see; columns as in `schema`."""

    contexts: pl.DataFrame
    ads: pl.DataFrame
    bids: pl.DataFrame
    tve_samples: pl.DataFrame


@dataclass(frozen=True)
class Truth:
    """What they do not."""

    bids: pl.DataFrame
    tve: pl.DataFrame
    samples: pl.DataFrame


def load_dataset(folder: Path) -> Dataset:
    """Raises `dataset_missing`, `dataset_schema` or `dataset_empty`."""
    return Dataset(**{name: read_table(folder, name) for name in SEEN})


def load_truth(folder: Path) -> Truth:
    """Raises like `load_dataset`."""
    return Truth(**{name.removeprefix("truth/"): read_table(folder, name) for name in TRUTH})


def load_card(folder: Path) -> dict[str, Any]:
    """`dataset.json`. Raises `dataset_missing` or `dataset_schema`."""
    try:
        card = json.loads((folder / CARD).read_text())
    except FileNotFoundError:
        raise _missing(CARD) from None
    except (OSError, ValueError):
        raise _schema(CARD, "is not JSON") from None
    if not isinstance(card, dict):
        raise _schema(CARD, "is not an object")
    return card


def whole(folder: Path) -> bool:
    """Whether the card and every file it names are there. Raises like `load_card`."""
    return (folder / CARD).is_file() and all(
        (folder / name).is_file() for name in load_card(folder).get("files", {})
    )


def read_table(folder: Path, name: str) -> pl.DataFrame:
    """One table of a dataset, checked."""
    path = _file(folder, name)
    if not path.is_file():
        raise _missing(name)
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError):
        raise _schema(name, "is not a readable Parquet file") from None
    return check(name, frame, TABLES[name])


def write_tables(folder: Path, tables: Mapping[str, pl.DataFrame]) -> dict[str, str]:
    """Write checked tables; SHA-256 of each file by its path in the folder."""
    hashes = {}
    for name, frame in tables.items():
        path = _file(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        check(name, frame, TABLES[name]).write_parquet(
            path, compression="zstd", compression_level=_ZSTD
        )
        hashes[str(path.relative_to(folder))] = sha256(path)
    return hashes


def check(name: str, frame: pl.DataFrame, columns: Columns) -> pl.DataFrame:
    """The frame, if its columns, their types and order are `columns` and it has rows."""
    found = dict(frame.schema)
    if list(found) != list(columns):
        wrong = sorted(set(found) ^ set(columns)) or ["their order"]
        raise _schema(name, f"does not have the expected columns: {', '.join(wrong)}")
    for column, expected in columns.items():
        if found[column] != expected:
            raise _schema(name, f"column {column} is {found[column]}, expected {expected}")
    if frame.is_empty():
        raise SkynetError("dataset_empty", f"Table {name} has no rows.")
    nulls = [column for column in columns if frame[column].null_count()]
    if nulls:
        raise _schema(name, f"column {nulls[0]} has nulls")
    return frame


def verify(folder: Path) -> None:
    """Every file is the one the card names. Raises `dataset_missing` or `dataset_changed`."""
    for name, expected in load_card(folder)["files"].items():
        path = folder / name
        if not path.is_file():
            raise _missing(name)
        if sha256(path) != expected:
            raise SkynetError("dataset_changed", f"{name} is not the file its card names.")


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.parquet"


def _missing(name: str) -> SkynetError:
    return SkynetError("dataset_missing", f"The dataset has no {name}.", 404)


def _schema(name: str, fault: str) -> SkynetError:
    return SkynetError("dataset_schema", f"Table {name} {fault}.")
