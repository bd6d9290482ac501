# SPDX-License-Identifier: Apache-2.0
"""The ASGI app: routes, errors in one shape, and a request id on every answer."""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bls.errors import SkynetError, internal
from client.gateway.errors import error_response, from_status
from client.gateway.routes import ROUTES
from client.gateway.settings import GatewaySettings
from client.gateway.state import Gateway

log = logging.getLogger("skynet.gateway")


def create_app(settings: GatewaySettings) -> Starlette:
    """A gateway in front of `settings.triton`."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        gateway = app.state.gateway = Gateway.start(settings)
        gateway.sessions.begin()
        try:
            yield
        finally:
            await gateway.close()

    return Starlette(
        routes=ROUTES,
        lifespan=lifespan,
        exception_handlers={
            SkynetError: _refused,
            HTTPException: _http_error,
            Exception: _crashed,
        },
    )


def with_request_id(app: ASGIApp) -> ASGIApp:
    """Outside everything else, so even the answer to a crash carries the id."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        request_id = scope["skynet.request_id"] = f"req-{uuid.uuid4().hex}"
        header = (b"x-request-id", request_id.encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], header]
            await send(message)

        await app(scope, receive, send_with_id)

    return wrapped


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, SkynetError)
    return error_response(error, request.scope["skynet.request_id"])


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = error_response(from_status(error.status_code), request.scope["skynet.request_id"])
    response.headers.update(error.headers or {})
    return response


async def _crashed(request: Request, error: Exception) -> Response:
    log.error("request %s failed", request.scope["skynet.request_id"], exc_info=error)
    return error_response(internal(), request.scope["skynet.request_id"])
