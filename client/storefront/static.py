# SPDX-License-Identifier: Apache-2.0
"""Scripts and styles: a fixed list of files, read once; one is the gateway's page's as well."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_FOLDER = Path(__file__).with_name("static")
_SHARED = Path(__file__).resolve().parents[1] / "web"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FILES = (
    *(_FOLDER / name for name in ("shop.css", "track.js", "chat.js", "turn.js", "stream.js")),
    _FOLDER / "icon.svg",
    _SHARED / "events.js",
)


def _route(file: Path) -> Route:
    body = file.read_bytes()

    async def serve(request: Request) -> Response:
        return Response(body, headers={"cache-control": "no-cache"}, media_type=_TYPES[file.suffix])

    return Route(f"/static/{file.name}", serve, methods=["GET"])


STATIC_ROUTES = [_route(file) for file in _FILES]
