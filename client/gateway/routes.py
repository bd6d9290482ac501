# SPDX-License-Identifier: Apache-2.0
"""The routes: chat, bids of a live reply, clicks, campaigns, sessions of the shop, explanations,
health, page."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bls.errors import SkynetError
from client.gateway.ads.routes import AD_ROUTES
from client.gateway.bids import put_bids
from client.gateway.body import read_json
from client.gateway.chat_request import Ids, names_session, read_chat
from client.gateway.clicks import post_click
from client.gateway.explain import post_explain
from client.gateway.keys import require_key
from client.gateway.page import PAGE_ROUTES
from client.gateway.phantom.quotes import QUOTE_ROUTES
from client.gateway.phantom.routes import SESSION_ROUTES
from client.gateway.reply import Reply
from client.gateway.state import gateway_of


class ChatRoute:
    """`POST /v1/chat/completions`, as an ASGI app: the reply outlives a plain handler."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the request, then hand over to its `Reply`."""
        request = Request(scope, receive)
        gateway = gateway_of(request)
        require_key(request, gateway)
        body = await read_json(request, gateway.settings.body_timeout_s)
        request_id: str = scope["skynet.request_id"]
        parent = request.headers.get("traceparent")
        with gateway.tracing.reply(parent, {"skynet.request_id": request_id}) as span:
            conv_id = "conv-" + request_id.removeprefix("req-")
            if names_session(body):
                await gateway.sessions.restored()
            chats = gateway.chats
            ids = Ids(request_id, conv_id, span.traceparent, chats.session, chats.score)
            chat = read_chat(body, gateway.settings.models, ids)
            span.set("skynet.conv_id", chat.request.conv_id)
            await Reply(gateway, chat, span)(scope, receive, send)


async def models(request: Request) -> Response:
    """`GET /v1/models`."""
    gateway = gateway_of(request)
    require_key(request, gateway)
    data = [
        {"id": name, "object": "model", "created": 0, "owned_by": "skynet"}
        for name in gateway.settings.models
    ]
    return JSONResponse({"object": "list", "data": data})


async def healthz(request: Request) -> Response:
    """`GET /healthz`: this process answers."""
    return JSONResponse({"status": "ok"})


async def readyz(request: Request) -> Response:
    """`GET /readyz`: Triton says that every model is ready; otherwise 503 with the reason."""
    gateway = gateway_of(request)
    if gateway.drain.is_set():
        raise SkynetError("not_ready", "The gateway is shutting down.", 503)
    await gateway.triton.check_ready(gateway.settings.ready_timeout_s)
    return JSONResponse({"status": "ready"})


async def metrics(request: Request) -> Response:
    """`GET /metrics`: the gateway's own series."""
    gateway = gateway_of(request)
    require_key(request, gateway)
    return Response(gateway.metrics.text(), media_type="text/plain; version=0.0.4")


ROUTES = [
    Route("/v1/chat/completions", ChatRoute(), methods=["POST"]),
    Route("/v1/replies/{conv_id}/bids", put_bids, methods=["PUT"]),
    Route("/v1/clicks", post_click, methods=["POST"]),
    Route("/v1/explain", post_explain, methods=["POST"]),
    Route("/v1/models", models, methods=["GET"]),
    Route("/healthz", healthz, methods=["GET"]),
    Route("/readyz", readyz, methods=["GET"]),
    Route("/metrics", metrics, methods=["GET"]),
    *AD_ROUTES,
    *SESSION_ROUTES,
    *QUOTE_ROUTES,
    *PAGE_ROUTES,
]
