# SPDX-License-Identifier: Apache-2.0
"""`/v1/events`, `/v1/prices`, `/v1/sessions` (docs/phantom_ingest.md)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bls.errors import SkynetError
from bls.models.served import served_name
from bls.phantom.lines import EVENTS, PRICES
from bls.phantom.live import LiveSession, Standing
from bls.phantom.shop import catalogue
from client.gateway.body import read_json
from client.gateway.keys import require_key
from client.gateway.phantom.bodies import (
    EventsBody,
    ImportBody,
    LabelBody,
    PricesBody,
    acts,
    quotes,
    read,
    session_name,
)
from client.gateway.phantom.desk import SessionDesk, unknown_session
from client.gateway.state import Gateway, gateway_of

_LISTED = 1_000


async def post_events(request: Request) -> Response:
    """A batch of what one session did; 200 when it is on disk."""
    gateway, desk = _admit(request)
    with _counted(gateway, EVENTS) as counts:
        body = read(EventsBody, await read_json(request, gateway.settings.body_timeout_s))
        desk.per_session.take(body.session_id)
        told = acts(body, catalogue(body.mode), time.time())
        agent = request.headers.get("user-agent", "")
        new, before, score = await desk.tell(
            body.session_id, body.mode, told, body.experiment, agent
        )
        counts.extend((new, before))
    answer = {"accepted": new, "duplicates": before, "agent_probability": score}
    return JSONResponse(answer)


async def post_prices(request: Request) -> Response:
    """Prices that one session was shown by somebody else than the price provider."""
    gateway, desk = _admit(request)
    with _counted(gateway, PRICES) as counts:
        body = read(PricesBody, await read_json(request, gateway.settings.body_timeout_s))
        desk.per_session.take(body.session_id)
        told = quotes(body, catalogue(body.mode), time.time())
        counts.extend(await desk.show(body.session_id, body.mode, told))
    return JSONResponse({"accepted": counts[0], "duplicates": counts[1]})


async def get_sessions(request: Request) -> Response:
    """The live sessions, the one heard of last first, at most 1,000."""
    _, desk = _admit(request)
    await desk.ready()
    found = desk.book.sessions()
    shown = [session_json(session) for session in found[:_LISTED]]
    return JSONResponse({"live": len(found), "sessions": shown})


async def get_session(request: Request) -> Response:
    """One live session."""
    _, desk = _admit(request)
    await desk.ready()
    session = desk.book.get(session_name(request.path_params["sid"]))
    if session is None:
        raise unknown_session()
    return JSONResponse(session_json(session))


async def post_label(request: Request) -> Response:
    """Say who a session is, and who says so."""
    gateway, desk = _admit(request)
    sid = session_name(request.path_params["sid"])
    body = read(LabelBody, await read_json(request, gateway.settings.body_timeout_s))
    standing = Standing(body.label, body.origin or "", body.actor or "")
    return JSONResponse(session_json(await desk.label(sid, standing, body.mode)))


async def post_import(request: Request) -> Response:
    """Acts of one session of a sheet (`skynet phantom import`)."""
    gateway, desk = _admit(request)
    sid = session_name(request.path_params["sid"])
    with _counted(gateway, EVENTS) as counts:
        body = read(ImportBody, await read_json(request, gateway.settings.body_timeout_s))
        standing = Standing(body.label, body.origin or "", body.actor or "")
        told = [event.act() for event in body.events]
        counts.extend(await desk.take_in(sid, body.mode, standing, told))
    return JSONResponse({"accepted": counts[0], "duplicates": counts[1]})


def session_json(session: LiveSession) -> dict[str, Any]:
    """What an operator sees of a session."""
    label, origin, actor = session.standing
    return {
        "session_id": session.sid,
        "mode": session.mode,
        "start_ms": session.start_ms,
        "heard_ms": int(session.heard * 1000),
        "events": session.events,
        "quotes": session.quotes,
        "agent_probability": session.score,
        "agent_version": served_name(session.served) if session.served else "",
        "label": label,
        "origin": origin,
        "actor": actor,
        "experiment": session.experiment,
        "condition": session.condition,
    }


def _admit(request: Request) -> tuple[Gateway, SessionDesk]:
    """Raises `invalid_api_key` (401), `rate_limited` (429)."""
    gateway = gateway_of(request)
    require_key(request, gateway)
    address = request.client.host if request.client is not None else ""
    gateway.sessions.per_address.take(address)
    return gateway, gateway.sessions


@contextmanager
def _counted(gateway: Gateway, stream: str) -> Iterator[list[int]]:
    """Adds (new, told before) that come into the list, or the refusal, to the metrics."""
    counts: list[int] = []
    try:
        yield counts
    except SkynetError as error:
        gateway.metrics.told(stream, error.code, 1)
        raise
    for outcome, count in zip(("done", "duplicate"), counts, strict=True):
        gateway.metrics.told(stream, outcome, count)


SESSION_ROUTES = [
    Route("/v1/events", post_events, methods=["POST"]),
    Route("/v1/prices", post_prices, methods=["POST"]),
    Route("/v1/sessions", get_sessions, methods=["GET"]),
    Route("/v1/sessions/{sid}", get_session, methods=["GET"]),
    Route("/v1/sessions/{sid}/label", post_label, methods=["POST"]),
    Route("/v1/sessions/{sid}/import", post_import, methods=["POST"]),
]
