# SPDX-License-Identifier: Apache-2.0
"""Avro on the wire: single-object encoding, a two-byte mark and the schema's fingerprint first.

A reader finds the writer's schema by its CRC-64-AVRO fingerprint among the schemas it knows, the
released ones included, so old messages stay readable without a registry. Source: Avro 1.12
specification, "Single-object encoding".
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import fastavro

from bls.errors import SkynetError
from bls.events.encoder import Encoder, NotOfSchemaError, compile_schema

Event = dict[str, Any]

FOLDER = Path(__file__).with_name("schemas")
RELEASED = Path(__file__).with_name("released")
"""Schemas as they were last released; `additive.py` compares."""
MARK = b"\xc3\x01"
_HEAD = len(MARK) + 8
_FAULTS = (EOFError, ValueError, TypeError, KeyError, IndexError, OverflowError, struct.error)


@cache
def schema(topic: str) -> dict[str, Any]:
    """The parsed Avro schema of a topic. Raises `unknown_topic`."""
    found = read_schema(FOLDER, topic)
    if found is None:
        raise SkynetError("unknown_topic", f"There is no schema of {topic}.", 404)
    return found


def read_schema(folder: Path, topic: str) -> dict[str, Any] | None:
    """The parsed schema of a topic in a folder; None when there is none."""
    path = folder / f"{topic}.avsc"
    if not path.is_file():
        return None
    return cast(dict[str, Any], fastavro.parse_schema(json.loads(path.read_text())))


@cache
def header(topic: str) -> bytes:
    """Mark and fingerprint of a topic's current schema."""
    return MARK + fingerprint(schema(topic))


def fingerprint(parsed: Mapping[str, Any]) -> bytes:
    """CRC-64-AVRO of the schema's canonical form, 8 bytes as they are on the wire."""
    canonical = fastavro.schema.to_parsing_canonical_form(dict(parsed))
    return bytes.fromhex(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO"))


@cache
def writers(topic: str) -> dict[bytes, dict[str, Any]]:
    """Every schema a message of the topic may be written with, by fingerprint."""
    known = [schema(topic)]
    released = read_schema(RELEASED, topic)
    if released is not None:
        known.append(released)
    return {fingerprint(one): one for one in reversed(known)}


@cache
def encoder(topic: str) -> Encoder:
    """Encodes a topic's events, without the header."""
    return compile_schema(schema(topic), frozenset({"event_id"}))


def encode(topic: str, event: Mapping[str, Any]) -> bytes:
    """A message. Raises `bad_event` for one that does not fit the schema."""
    try:
        return header(topic) + encoder(topic)(event)
    except NotOfSchemaError as fault:
        raise bad_event(topic, str(fault)) from None


def decode(topic: str, message: bytes) -> Event:
    """The event of a message, fields that its writer did not know at their defaults.

    Raises:
        SkynetError: `bad_event` for bytes that are no message, `unknown_schema` for a message
            written with a schema that is neither current nor released.
    """
    if len(message) < _HEAD or not message.startswith(MARK):
        raise bad_event(topic, "no header")
    writer = writers(topic).get(message[len(MARK) : _HEAD])
    if writer is None:
        raise SkynetError("unknown_schema", f"A {topic} event of a schema nobody knows.", 422)
    rest = io.BytesIO(message[_HEAD:])
    try:
        event = fastavro.schemaless_reader(rest, writer, schema(topic))
    except _FAULTS as fault:
        raise bad_event(topic, type(fault).__name__) from None
    if rest.read(1):
        raise bad_event(topic, "bytes after its end")
    return cast(Event, event)


def bad_event(topic: str, why: str) -> SkynetError:
    """What is no event of the topic."""
    return SkynetError("bad_event", f"Not a {topic} event: {why}.", 422)
