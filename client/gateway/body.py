# SPDX-License-Identifier: Apache-2.0
"""Reads a request body under its limits and turns it into a JSON object, or says why not."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from bls.errors import SkynetError, invalid
from bls.limits import LIMITS

MAX_DEPTH = 16


async def read_json(request: Request, timeout_s: float) -> dict[str, Any]:
    """The body as an object. Raises `SkynetError`; never holds more than the limit."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise SkynetError(
            "unsupported_media_type", "Send content-type: application/json.", 415, "content-type"
        )
    try:
        async with asyncio.timeout(timeout_s):
            raw = await _read(request)
    except TimeoutError:
        raise SkynetError("body_timeout", "The request body came too slowly.", 408) from None
    except ClientDisconnect:
        raise invalid("body_incomplete", "The request body ended early.") from None
    return parse_json(raw)


async def _read(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > LIMITS.body_bytes:
        raise too_large()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LIMITS.body_bytes:
            raise too_large()
    return bytes(body)


def too_large() -> SkynetError:
    """The body limit, as an error."""
    return SkynetError("body_too_large", f"The body exceeds {LIMITS.body_bytes} bytes.", 413)


def parse_json(raw: bytes) -> dict[str, Any]:
    """Strict JSON: UTF-8, no NaN or Infinity, an object, at most `MAX_DEPTH` deep."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise invalid("invalid_utf8", "The body is not valid UTF-8.") from None
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise invalid("invalid_json", "The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise invalid("invalid_json", "The body must be a JSON object.")
    if _deeper_than(value, MAX_DEPTH):
        raise invalid("too_deep", f"The body is nested more than {MAX_DEPTH} levels deep.")
    return value


def _deeper_than(value: object, limit: int) -> bool:
    level = [value]
    for _ in range(limit + 1):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: object) -> list[object]:
    if isinstance(node, dict):
        return [child for child in node.values() if isinstance(child, dict | list)]
    if isinstance(node, list):
        return [child for child in node if isinstance(child, dict | list)]
    return []
