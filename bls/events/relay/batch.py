# SPDX-License-Identifier: Apache-2.0
"""Kafka's record batches (magic 2), built many records at once.

The producer of kafka-python spends 25 microseconds a record on futures, locks and statistics that
a relay has no use for. Source: Kafka protocol, "Record Batch".
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from kafka.record.util import calc_crc32c

from bls.events.encoder import VARINTS

Record = tuple[bytes, bytes]
"""Key with its length (`encoder.raw_bytes`), and value."""

_AFTER_CRC = struct.Struct(">hiqqqhii")
_BEFORE = struct.Struct(">qiibI")
_NO_PRODUCER = (-1, -1, -1)
_LENGTH = _BEFORE.size - 12 + _AFTER_CRC.size
"""Of a batch without records, from behind its own length field on."""


def record_batch(records: Sequence[Record], now_ms: int) -> bytes:
    """One batch, uncompressed, of at least one record; all have the time `now_ms`."""
    parts: list[bytes] = []
    add = parts.append
    for position, (key, value) in enumerate(records):
        middle = b"\0\0" + VARINTS[position] + key + VARINTS[len(value)]
        add(VARINTS[len(middle) + len(value) + 1])
        add(middle)
        add(value)
        add(b"\0")
    count = len(records)
    head = _AFTER_CRC.pack(0, count - 1, now_ms, now_ms, *_NO_PRODUCER, count)
    body = head + b"".join(parts)
    length = _LENGTH + len(body) - len(head)
    return _BEFORE.pack(0, length, -1, 2, calc_crc32c(body)) + body
