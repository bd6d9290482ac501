# SPDX-License-Identifier: Apache-2.0
"""Serves the web page: a fixed list of files, read once, under a strict content policy."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_FOLDER = Path(__file__).resolve().parents[1] / "web"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


def _route(path: str, name: str) -> Route:
    file = _FOLDER / name
    body = file.read_bytes()

    async def serve(request: Request) -> Response:
        return Response(body, headers=_HEADERS, media_type=_TYPES[file.suffix])

    return Route(path, serve, methods=["GET"])


PAGE_ROUTES = [
    _route("/", "index.html"),
    *(
        _route(f"/web/{name}", name)
        for name in ("app.js", "explain.js", "stream.js", "events.js", "style.css")
    ),
]
