# SPDX-License-Identifier: Apache-2.0
"""The schemas a message may have been written with: today's, and every one ever released."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import fastavro

from bls.events import schema as events

RELEASED = Path(events.__file__).with_name("released")

Avro = dict[str, Any]


@cache
def writers(topic: str, released: Path = RELEASED) -> dict[bytes, Avro]:
    """By what the first ten bytes of a message say: mark and fingerprint."""
    current = events.schema(topic)
    known = {events.header(topic): current}
    for path in sorted(released.rglob("*.avsc")):
        found = json.loads(path.read_text())
        if record_name(found) == record_name(current):
            parsed = fastavro.parse_schema(found)
            known.setdefault(events.MARK + events.fingerprint(parsed), parsed)
    return known


def record_name(avro: Avro) -> str:
    """Without its namespace, which a parsed schema has in the name."""
    return str(avro["name"]).rpartition(".")[2]
