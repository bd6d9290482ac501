# SPDX-License-Identifier: Apache-2.0
"""Errors in OpenAI's shape, so official clients raise their own exception types."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response

from bls.errors import SkynetError

_RETRY_LATER = frozenset({429, 503})


def error_body(error: SkynetError, request_id: str) -> dict[str, Any]:
    """`{"error": {...}}` with OpenAI's four fields and our request id."""
    return {
        "error": {
            "message": error.message,
            "type": error_type(error.status),
            "param": error.param,
            "code": error.code,
            "request_id": request_id,
        }
    }


def error_response(error: SkynetError, request_id: str) -> Response:
    """A whole HTTP answer; says when to come back where that can help."""
    headers = {"retry-after": "1"} if error.status in _RETRY_LATER else {}
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    body = orjson.dumps(error_body(error, request_id))
    return Response(body, error.status, headers, media_type="application/json")


def error_type(status: int) -> str:
    """OpenAI's coarse class of an error."""
    if status == 401:
        return "authentication_error"
    if status == 429:
        return "rate_limit_error"
    return "server_error" if status >= 500 else "invalid_request_error"


def from_status(status: int) -> SkynetError:
    """What the router refuses by itself: unknown path, wrong method."""
    if status == 404:
        return SkynetError("not_found", "There is nothing at this address.", 404)
    if status == 405:
        return SkynetError("method_not_allowed", "This address takes another method.", 405)
    return SkynetError("http_error", "The request was refused.", status)
