# SPDX-License-Identifier: Apache-2.0
"""Avro on the wire: single-object encoding, a two-byte mark and the schema's fingerprint first.

A reader finds the writer's schema by its CRC-64-AVRO fingerprint among the schemas it knows, the
released ones included, so old messages stay readable without a registry. Source: Avro 1.12
specification, "Single-object encoding".
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import fastavro

from bls.errors import SkynetError

Event = dict[str, Any]

FOLDER = Path(__file__).with_name("schemas")
MARK = b"\xc3\x01"
_HEAD = len(MARK) + 8


@cache
def schema(topic: str) -> dict[str, Any]:
    """The parsed Avro schema of a topic. Raises `unknown_topic`."""
    path = FOLDER / f"{topic}.avsc"
    if not path.is_file():
        raise SkynetError("unknown_topic", f"There is no schema of {topic}.", 404)
    return cast(dict[str, Any], fastavro.parse_schema(json.loads(path.read_text())))


@cache
def header(topic: str) -> bytes:
    """Mark and fingerprint of a topic's current schema."""
    return MARK + fingerprint(schema(topic))


def fingerprint(parsed: Mapping[str, Any]) -> bytes:
    """CRC-64-AVRO of the schema's canonical form, 8 bytes as they are on the wire."""
    canonical = fastavro.schema.to_parsing_canonical_form(dict(parsed))
    return bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))


def encode(topic: str, event: Mapping[str, Any]) -> bytes:
    """A message. Raises `bad_event` for one that does not fit the schema."""
    buffer = io.BytesIO()
    buffer.write(header(topic))
    try:
        fastavro.schemaless_writer(buffer, schema(topic), event)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as fault:
        raise SkynetError("bad_event", f"Not a {topic} event: {type(fault).__name__}.") from None
    return buffer.getvalue()
