# SPDX-License-Identifier: Apache-2.0
"""What is sent at once: some lines of some streams, as one record batch a partition."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import NamedTuple

from kafka.partitioner.default import murmur2

from bls.errors import SkynetError
from bls.events.encoder import NotOfSchemaError, raw_bytes
from bls.events.from_line import FromLine
from bls.events.relay.batch import Record, record_batch
from bls.events.relay.tail import Chunk
from bls.events.schema import encoder, header
from bls.events.topics import TOPICS
from bls.settlement.erased import ERASED

_CONVERSATIONS = 1 << 16
"""Conversations and sessions whose keys are remembered."""
READ = 450_000
"""Bytes of one stream's lines in a slice: brokers take batches of up to 1,048,588 bytes unless told
otherwise, and a message has its conv_id three times, so it may be twice as long as its line."""


class Target(NamedTuple):
    """Where a record batch goes."""

    topic: str
    partition: int


class BadLine(NamedTuple):
    """A line that is no event."""

    topic: str
    code: str
    why: str
    seq: int
    line: bytes


@dataclass
class Slice:
    """Sent and acknowledged whole, or again.

    Attributes:
        ends: what to write down of each stream once it is acknowledged.
        counts: events by topic.
    """

    batches: dict[Target, bytes] = field(default_factory=dict)
    ends: dict[str, dict[str, int]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    bad: list[BadLine] = field(default_factory=list)


class Slicer:
    """Makes the messages of one topic's lines."""

    def __init__(self, topic: str, source: str) -> None:
        self._topic = topic
        self._from_line = FromLine(topic, source)
        self._encode, self._head = encoder(topic), header(topic)
        self._lead = TOPICS[topic].lead
        self._keys: dict[str, tuple[int, bytes]] = {}

    def add(self, chunk: Chunk, partitions: int, into: Slice) -> None:
        """Put a chunk's events into a slice; a chunk of a topic is added once to it."""
        from_line, encode, head = self._from_line, self._encode, self._head
        lead = self._lead
        records: dict[int, list[Record]] = {}
        count = 0
        for line, seq in zip(chunk.lines, chunk.seqs, strict=True):
            if line.startswith(ERASED) or not line.strip():
                continue
            try:
                event = from_line(line, seq)
                message = head + encode(event)
            except (SkynetError, NotOfSchemaError) as fault:
                into.bad.append(BadLine(self._topic, "bad_event", str(fault), seq, line))
                continue
            number, key = self._key(event[lead])
            records.setdefault(number % partitions, []).append((key, message))
            count += 1
        into.counts[self._topic] = count
        now_ms = int(time.time() * 1e3)
        for partition, found in records.items():
            into.batches[Target(self._topic, partition)] = record_batch(found, now_ms)

    def _key(self, name: str) -> tuple[int, bytes]:
        """A conversation's number, as Kafka's own clients hash keys, and its key."""
        found = self._keys.get(name)
        if found is None:
            if len(self._keys) >= _CONVERSATIONS:
                self._keys.clear()
            raw = name.encode()
            found = self._keys[name] = murmur2(raw) & 0x7FFFFFFF, raw_bytes(raw)
        return found
