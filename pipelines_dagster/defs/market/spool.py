# SPDX-License-Identifier: Apache-2.0
"""Lines of events as the stream files that a server leaves behind: billing streams are chained."""

from __future__ import annotations

import fcntl
from pathlib import Path

import polars as pl

from bls.errors import SkynetError
from bls.events.topics import TOPICS
from bls.limits import LIMITS
from bls.settlement.segments import Appender

_LOCK = "ledger.lock"


def write_spool(folder: Path, streams: dict[str, pl.DataFrame]) -> int:
    """Append the lines to the streams of a log folder; how many there were.

    Raises `ledger_locked` when a server writes there: two writers break a chain.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SkynetError("ledger_locked", "Another server writes records here.", 500) from None
        for topic, lines in streams.items():
            text = _doubles(lines).write_ndjson().encode()
            if TOPICS[topic].billing:
                _chained(folder, topic, text)
            else:
                with (folder / topic).open("ab") as file:
                    file.write(text)
    return sum(map(len, streams.values()))


def _chained(folder: Path, topic: str, text: bytes) -> None:
    stream = Appender(folder, topic, LIMITS.ledger_segment_bytes)
    try:
        stream.add(text.splitlines())
        stream.write()
    finally:
        stream.close()


def _doubles(lines: pl.DataFrame) -> pl.DataFrame:
    """f32 numbers as the doubles they are, which is how the server writes them."""
    return lines.with_columns(
        pl.col(name).cast(pl.List(pl.Float64))
        for name, kind in lines.schema.items()
        if kind == pl.List(pl.Float32)
    )
