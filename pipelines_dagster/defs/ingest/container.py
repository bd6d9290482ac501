# SPDX-License-Identifier: Apache-2.0
"""Many messages decoded at once, as one block of an Avro container that polars reads in Rust.

A block is records end to end, without lengths, so one bad message could be read into the next. So
every message is followed by a field of our own, the same random number. `n` rows that each end in
it, out of bytes that have it `n` times, must each be exactly one message: a row that ran over an
end would have used up two. Whoever writes messages cannot know the number.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Sequence
from typing import Any

import polars as pl

from bls.events.encoder import VARINTS
from pipelines_dagster.defs.ingest.columns import fields

_SYNC = b"skynet container"
_END = "end_of_message"


def read_block(avro: dict[str, Any], payloads: Sequence[bytes]) -> pl.DataFrame | None:
    """One row per payload, in order; None when they are not all records of that schema."""
    number = secrets.randbits(62) | 1 << 61
    end = VARINTS[number]
    body = end.join((*payloads, b""))
    if body.count(end) != len(payloads):
        return None
    raw = b"".join((_head(avro), VARINTS[len(payloads)], VARINTS[len(body)], body, _SYNC))
    try:
        rows = pl.read_avro(io.BytesIO(raw))
        if len(rows) != len(payloads) or not (rows[_END] == number).all():
            return None
        return rows.select(pl.col(name).cast(kind) for name, kind in fields(avro).items())
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
        return None


def _head(avro: dict[str, Any]) -> bytes:
    plain = {
        "type": "record",
        "name": "message",
        "fields": [*_plain(avro)["fields"], {"name": _END, "type": "long"}],
    }
    text = json.dumps(plain).encode()
    return b"Obj\1" + b"".join(
        (VARINTS[2], *_entry("avro.schema", text), *_entry("avro.codec", b"null"), b"\0", _SYNC)
    )


def _entry(name: str, value: bytes) -> tuple[bytes, ...]:
    return VARINTS[len(name)], name.encode(), VARINTS[len(value)], value


def _plain(avro: Any) -> Any:
    """A type without documentation, defaults and parser's marks, which the reader refuses.

    An int is read as a long, which has the same bytes: one that is too big shows in the cast.
    """
    if isinstance(avro, str):
        return "long" if avro == "int" else avro
    match avro["type"]:
        case "array":
            return {"type": "array", "items": _plain(avro["items"])}
        case "record":
            return {
                "type": "record",
                "name": avro["name"].rpartition(".")[2],
                "fields": [
                    {"name": found["name"], "type": _plain(found["type"])}
                    for found in avro["fields"]
                ],
            }
        case other:
            return _plain(other)
