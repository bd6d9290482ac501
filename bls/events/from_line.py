# SPDX-License-Identifier: Apache-2.0
"""A line of a log stream as the event of its topic, `docs/events.md`.

A line has what its schema wants but for three fields, which say where it came from: `event_id`,
`source`, `seq`. JSON has no not-a-number, no bytes and larger integers than Avro: null becomes NaN,
or the field's default where it has one; base64 becomes bytes; a u64 its two's complement. Fields
that the schema does not know are left out.
"""

from __future__ import annotations

import math
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable
from functools import cache
from operator import itemgetter
from typing import Any

import orjson

from bls.events.schema import Event, bad_event, schema
from bls.events.topics import TOPICS

_NULL = b"null"
_SIGNED = 1 << 63
_U64 = {"auction.bids": ("seed", "conv")}
_FAULTS = (KeyError, TypeError, ValueError, AttributeError, Base64Error)


class FromLine:
    """Makes events of one topic's lines, of one source."""

    def __init__(self, topic: str, source: str) -> None:
        parsed = schema(topic)
        fields = {field["name"]: field for field in parsed["fields"]}
        key = (*TOPICS[topic].about, *TOPICS[topic].key)
        self._topic, self._source = topic, source
        self._key: Callable[[Event], Any] = itemgetter(*key)
        self._id = ":".join(["%s"] * len(key))
        self._defaults = [(n, f["default"]) for n, f in fields.items() if "default" in f]
        self._bytes = [name for name, field in fields.items() if field["type"] == "bytes"]
        self._unsigned = _U64.get(topic, ())
        self._fill = _filler(parsed)

    def __call__(self, line: bytes, seq: int) -> Event:
        """The event of a line, with or without its newline. Raises `bad_event`.

        What is missing or of another type is found when the event is encoded, or here.
        """
        try:
            event: Event = orjson.loads(line)
            event["source"], event["seq"] = self._source, seq
            event["event_id"] = self._id % self._key(event)
            for name, default in self._defaults:
                event.setdefault(name, default)
            for name in self._bytes:
                event[name] = a2b_base64(event[name], strict_mode=True)
            for name in self._unsigned:
                if event[name] >= _SIGNED:
                    event[name] -= 2 * _SIGNED
            if _NULL in line:
                self._fill(event)
        except _FAULTS as fault:
            raise bad_event(self._topic, type(fault).__name__) from None
        return event


@cache
def _of(topic: str, source: str) -> FromLine:
    return FromLine(topic, source)


def from_line(topic: str, line: bytes, source: str, seq: int) -> Event:
    """One line's event. Raises `bad_event`."""
    return _of(topic, source)(line, seq)


def _filler(record: Any) -> Callable[[Event], None]:
    """Replaces the nulls of an event in place; those that may not be stay, and are refused."""
    fields = record["fields"]
    plain = {f["name"]: math.nan for f in fields if f["type"] in ("double", "float")}
    plain |= {f["name"]: f["default"] for f in fields if "default" in f}
    arrays = [f["name"] for f in fields if _items(f) in ("double", "float")]
    inner = [(f["name"], _filler(_items(f))) for f in fields if isinstance(_items(f), dict)]
    whole = [(f["name"], _filler(f["type"])) for f in fields if _is_record(f["type"])]

    def fill(event: Event) -> None:
        for name, value in plain.items():
            if event[name] is None:
                event[name] = value
        for name in arrays:
            event[name] = [math.nan if value is None else value for value in event[name]]
        for name, fill_item in inner:
            for item in event[name]:
                fill_item(item)
        for name, fill_record in whole:
            event[name] = dict(event[name])  # it may be the schema's own default
            fill_record(event[name])

    return fill


def _is_record(kind: Any) -> bool:
    return isinstance(kind, dict) and kind["type"] == "record"


def _items(field: Any) -> Any:
    """What the field is an array of; None for one that is none."""
    kind = field["type"]
    return kind["items"] if isinstance(kind, dict) and kind["type"] == "array" else None
