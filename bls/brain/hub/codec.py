# SPDX-License-Identifier: Apache-2.0
"""A window as the JSON text that Redis holds. No pickle: what comes back is checked whole."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import numpy as np
import orjson

from bls.brain.hub.window import Window

_VERSION = 1


def encode(window: Window) -> bytes:
    """Floats of the rows are written so that they come back exactly."""
    ctx = np.ascontiguousarray(window.ctx_vec, "<f4").tobytes()
    return orjson.dumps(
        {
            "version": _VERSION,
            "next_token": window.next_token,
            "ctx_vec": base64.b64encode(ctx).decode(),
            "past": dict(zip(window.rows, window.past.tolist(), strict=True)),
        }
    )


def decode(text: bytes) -> Window:
    """Raises `ValueError` on anything `encode` would not have written."""
    raw = orjson.loads(text)
    if not isinstance(raw, dict) or raw.get("version") != _VERSION:
        raise ValueError("not a window of this version")
    past, next_token = raw.get("past"), raw.get("next_token")
    if not isinstance(past, dict) or type(next_token) is not int or next_token < 0:
        raise ValueError("not a window")
    try:
        rows = np.array([_numbers(row) for row in past.values()], np.float64)
        ctx = np.frombuffer(base64.b64decode(raw["ctx_vec"], validate=True), "<f4")
    except (KeyError, TypeError, binascii.Error):
        raise ValueError("not a window") from None
    return Window(ctx, list(past), rows.reshape(len(past), -1), next_token)


def _numbers(row: Any) -> list[float]:
    if not isinstance(row, list) or not all(type(value) in (int, float) for value in row):
        raise ValueError("a row holds numbers")
    return row
