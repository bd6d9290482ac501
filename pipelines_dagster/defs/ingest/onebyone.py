# SPDX-License-Identifier: Apache-2.0
"""Messages decoded one by one: slow and obvious, for batches that hold a bad one.

It is also what the fast way (`container`) is tested against.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import fastavro
from fastavro.validation import validate

BAD = "bad_record"
TRAILING = "trailing_bytes"


def read_one(
    payload: bytes, writer: Mapping[str, Any], reader: Mapping[str, Any] | None = None
) -> dict[str, Any] | str:
    """The record, resolved to `reader`; else why it is not one."""
    stream = io.BytesIO(payload)
    try:
        found = fastavro.schemaless_reader(stream, writer, reader)
    except Exception:  # whatever the bytes are, they are a bad message, never a failed ingest
        return BAD
    if stream.tell() != len(payload):
        return TRAILING
    if not isinstance(found, dict) or not validate(found, reader or writer, raise_errors=False):
        return BAD
    return found
