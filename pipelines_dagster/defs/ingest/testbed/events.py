# SPDX-License-Identifier: Apache-2.0
"""Events as a server numbers them, of every topic, with plausible sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bls.events.schema import Event, encode, schema
from bls.events.topics import TOPICS

NOW = 1_795_000_000.0
"""`ts` of the first event: 2026-11-18."""


def events(
    topic: str, count: int, source: str = "server-1", first: int = 0, per_reply: int = 100
) -> Iterator[Event]:
    """Events as a server numbers them, a reply's after each other, the same for the same call."""
    draw = np.random.default_rng([first, len(topic)])
    for seq in range(first, first + count):
        yield numbered(_filled(schema(topic), draw), source, seq, per_reply)


def alike(
    topic: str, count: int, source: str = "server-1", first: int = 0, per_reply: int = 100
) -> Iterator[Event]:
    """`events` that differ in nothing but ids and time: many of them, cheaply."""
    pattern = next(events(topic, 1))
    for seq in range(first, first + count):
        yield numbered(pattern, source, seq, per_reply)


def numbered(found: Event, source: str, seq: int, per_reply: int = 100) -> Event:
    """The event as the source's `seq`-th: its ids and its time."""
    reply = seq // per_reply
    conv_id, request_id = f"{source}-c{reply:08x}", f"r{reply % 7}"
    about = {"conv_id": conv_id, "request_id": request_id}
    if "session_id" in found:
        about = {"session_id": conv_id}
    return found | {
        "v": 1,
        "source": source,
        "seq": seq,
        "ts": NOW + seq * 0.01,
        **about,
        "event_id": ":".join([*about.values(), str(seq % per_reply)]),
    }


def send(producer: Any, topic: str, found: Event) -> None:
    producer.send(topic, encode(topic, found), key=str(found[TOPICS[topic].lead]).encode())


def _filled(avro: Any, draw: np.random.Generator) -> Any:
    """A value of an Avro type, of a plausible size."""
    kind = avro["type"] if isinstance(avro, dict) else avro
    if kind == "record":
        return {found["name"]: _filled(found["type"], draw) for found in avro["fields"]}
    if kind == "array":
        return [_filled(avro["items"], draw) for _ in range(4)]
    make = _VALUES.get(kind) if isinstance(kind, str) else None
    return make(draw) if make else _filled(kind, draw)


_WORDS = ("acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "tyrell")

_VALUES: dict[str, Callable[[np.random.Generator], Any]] = {
    "string": lambda draw: _WORDS[int(draw.integers(len(_WORDS)))],
    "bytes": lambda draw: draw.bytes(16),
    "boolean": lambda draw: bool(draw.integers(2)),
    "int": lambda draw: int(draw.integers(1000)),
    "long": lambda draw: int(draw.integers(2**40)),
    "float": lambda draw: float(draw.random()),
    "double": lambda draw: float(draw.random()),
}
