# SPDX-License-Identifier: Apache-2.0
"""Who may call: whoever has the key, when one is set."""

from __future__ import annotations

import hmac

from starlette.requests import Request

from bls.errors import SkynetError
from client.gateway.state import Gateway


def require_key(request: Request, gateway: Gateway) -> None:
    """Raise `SkynetError` (401) unless the caller presents the key, when one is set."""
    key = gateway.settings.api_key
    if key is None:
        return
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    known = hmac.compare_digest(given.strip().encode(), key.encode())
    if scheme.lower() != "bearer" or not known:
        raise SkynetError("invalid_api_key", "A valid API key is required.", 401)
