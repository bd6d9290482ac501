# SPDX-License-Identifier: Apache-2.0
"""What a browser posts: only from our own pages, only so long, only so slowly."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import ClientDisconnect, Request

from bls.errors import SkynetError, invalid
from client.gateway.body import parse_json

FORM_BYTES = 4 * 1024
EVENTS_BYTES = 16 * 1024
CHAT_BYTES = 64 * 1024
BODY_S = 10.0
_FIELDS = 16


def require_same_origin(request: Request) -> None:
    """Raises `cross_origin` for a request that another site's page made.

    Browsers say where a POST comes from; a program that says nothing has no one's cookie but its
    own. SameSite=Lax alone would let pages of other ports of this host through.
    """
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "none")
    ours = origin is None or urlsplit(origin).netloc == request.headers.get("host", "")
    if not ours or site not in ("none", "same-origin"):
        raise SkynetError("cross_origin", "This was not sent by a page of this shop.", 403)


async def read_form(request: Request) -> dict[str, str]:
    """Fields of a posted form. Raises `SkynetError`."""
    require_same_origin(request)
    _require_type(request, "application/x-www-form-urlencoded")
    raw = await _read(request, FORM_BYTES)
    try:
        return dict(parse_qsl(raw.decode(), max_num_fields=_FIELDS))
    except ValueError:
        raise invalid("invalid_form", "The form could not be read.") from None


async def read_object(request: Request, most: int) -> dict[str, Any]:
    """A posted JSON object of at most `most` bytes. Raises `SkynetError`."""
    require_same_origin(request)
    _require_type(request, "application/json")
    return parse_json(await _read(request, most))


def _require_type(request: Request, wanted: str) -> None:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != wanted:
        raise SkynetError("unsupported_media_type", f"Send content-type: {wanted}.", 415)


async def _read(request: Request, most: int) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise SkynetError("body_too_large", f"The body exceeds {most} bytes.", 413)
    except TimeoutError:
        raise SkynetError("body_timeout", "The request body came too slowly.", 408) from None
    except ClientDisconnect:
        raise invalid("body_incomplete", "The request body ended early.") from None
    return bytes(body)
