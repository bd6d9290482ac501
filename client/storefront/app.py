# SPDX-License-Identifier: Apache-2.0
"""The shop's ASGI app: routes, errors as pages or JSON, security headers on every answer."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bls.errors import SkynetError, internal
from bls.limits import LIMITS
from client.gateway.errors import from_status
from client.storefront.cart import add, purchase, remove, show_cart, show_checkout
from client.storefront.chat import post_chat
from client.storefront.pages import healthz, home, item, thanks
from client.storefront.render import page
from client.storefront.settings import StorefrontSettings
from client.storefront.shop import Shop, shop_of
from client.storefront.static import STATIC_ROUTES
from client.storefront.tracking import post_events

log = logging.getLogger("skynet.shop")

ROUTES = [
    Route("/", home, methods=["GET"]),
    Route("/item/{item}", item, methods=["GET"]),
    Route("/cart", show_cart, methods=["GET"]),
    Route("/cart/add", add, methods=["POST"]),
    Route("/cart/remove", remove, methods=["POST"]),
    Route("/checkout", show_checkout, methods=["GET"]),
    Route("/checkout", purchase, methods=["POST"]),
    Route("/thanks", thanks, methods=["GET"]),
    Route("/events", post_events, methods=["POST"]),
    Route("/chat", post_chat, methods=["POST"]),
    Route("/healthz", healthz, methods=["GET"]),
    *STATIC_ROUTES,
]
_JSON = frozenset({"/events", "/chat", "/healthz"})
_RETRY_AFTER_S = {"session_full": str(int(LIMITS.session_idle_s))}
"""By error; any other refusal of too much at once is over in a second."""

_HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]


def create_app(settings: StorefrontSettings) -> Starlette:
    """A shop in front of `settings.gateway`."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        shop = app.state.shop = Shop.open(settings)
        try:
            yield
        finally:
            await shop.close()

    handlers = {SkynetError: _refused, HTTPException: _http_error, Exception: _crashed}
    return Starlette(routes=ROUTES, lifespan=lifespan, exception_handlers=handlers)


def with_security_headers(app: ASGIApp) -> ASGIApp:
    """Outside everything else, so that answers to crashes have them too."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        await app(scope, receive, send_with_headers if scope["type"] == "http" else send)

    return wrapped


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, SkynetError)
    return _answer(request, error)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = _answer(request, from_status(error.status_code))
    response.headers.update(error.headers or {})
    return response


async def _crashed(request: Request, error: Exception) -> Response:
    log.error("a request failed", exc_info=error)
    return _answer(request, internal())


def _answer(request: Request, error: SkynetError) -> Response:
    """JSON for scripts, a page for people; says when to come back where that can help."""
    response: Response
    if request.url.path in _JSON:
        told = {"code": error.code, "message": error.message, "param": error.param}
        response = JSONResponse({"error": told}, error.status)
    else:
        response = page(shop_of(request), None, "error", error.status, error=error)
    if error.status == httpx.codes.TOO_MANY_REQUESTS:
        response.headers["retry-after"] = _RETRY_AFTER_S.get(error.code, "1")
    return response
