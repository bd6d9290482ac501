# SPDX-License-Identifier: Apache-2.0
"""`POST /v1/clicks`: what a reader did with an advertiser's part of a reply (docs/events.md)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bls.errors import SkynetError, invalid
from bls.request import Identifier, Name, Strict, from_validation
from client.gateway.body import read_json
from client.gateway.keys import require_key
from client.gateway.state import Gateway, gateway_of

_READERS = 1_000_000
_DWELL_MS = 24 * 3600 * 1000 * _READERS


class Click(Strict):
    """`impressions`: readers it was shown to; `dwell_ms`: how long they stayed, in all;
    `session_id`: whose click it is, where the chat did not say so."""

    conv_id: Identifier
    request_id: Identifier
    advertiser: Name
    impressions: Annotated[int, Field(ge=1, le=_READERS)] = 1
    clicks: Annotated[int, Field(ge=0, le=_READERS)]
    dwell_ms: Annotated[int, Field(ge=0, le=_DWELL_MS)]
    session_id: Identifier | None = None


async def post_click(request: Request) -> Response:
    """Answers with the record's id once it is on disk; 503 while the disk does not take it."""
    gateway = gateway_of(request)
    require_key(request, gateway)
    click = read_click(await read_json(request, gateway.settings.body_timeout_s))
    if click.session_id is not None:
        await gateway.sessions.restored()
    outcome = "done"
    try:
        await gateway.clicks.put(_line(gateway, click))
    except SkynetError as error:
        outcome = error.code
        raise
    finally:
        gateway.metrics.clicked(outcome)
    return JSONResponse({"event_id": f"{click.conv_id}:{click.request_id}:{click.advertiser}"})


def _line(gateway: Gateway, click: Click) -> dict[str, object]:
    """What is recorded: which session it was stays here, what is thought of it does not."""
    line = click.model_dump(exclude={"session_id"})
    score, invalid = gateway.chats.judge(click.conv_id, click.session_id)
    if score is None:
        return line
    return line | {"agent_probability": round(score, 6), "invalid": invalid}


def read_click(body: dict[str, Any]) -> Click:
    """The click in a body. Raises `SkynetError` naming the field at fault."""
    try:
        click = Click.model_validate(body)
    except ValidationError as error:
        raise from_validation(error) from None
    if click.clicks > click.impressions:
        raise invalid("invalid_value", "There are more clicks than impressions.", "clicks")
    return click
