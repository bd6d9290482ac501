# SPDX-License-Identifier: Apache-2.0
"""Scripts and styles: a fixed list of files, read once."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_FOLDER = Path(__file__).with_name("static")
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FILES = ("shop.css", "track.js", "chat.js", "turn.js", "stream.js", "icon.svg")


def _route(name: str) -> Route:
    file = _FOLDER / name
    body = file.read_bytes()

    async def serve(request: Request) -> Response:
        return Response(body, headers={"cache-control": "no-cache"}, media_type=_TYPES[file.suffix])

    return Route(f"/static/{name}", serve, methods=["GET"])


STATIC_ROUTES = [_route(name) for name in _FILES]
