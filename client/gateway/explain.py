# SPDX-License-Identifier: Apache-2.0
"""`POST /v1/explain`: which of an ad's tokens its predicted value comes from (docs/explain.md)."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bls.brain.context.text import context_text
from bls.errors import SkynetError, invalid
from bls.explain.request import ExplainRequest
from bls.limits import LIMITS
from bls.request import Message, from_validation
from client.gateway.body import read_json
from client.gateway.fields import unknown
from client.gateway.keys import require_key
from client.gateway.messages import read_messages
from client.gateway.state import gateway_of
from client.gateway.supervise import ReaderLeftError, supervise

_FIELDS = ("messages", "context", "ad")
_READER_LEFT = 499  # nobody reads it


async def post_explain(request: Request) -> Response:
    """`{"context": "..."}` or `{"messages": [...]}`, and `"ad"`; the gateway only waits."""
    gateway = gateway_of(request)
    require_key(request, gateway)
    body = await read_json(request, gateway.settings.body_timeout_s)
    outcome, seconds = "internal", None
    try:
        asked = read_explain(body)
        work = gateway.explainer.explain(asked)
        answer = await supervise(work, request.receive, gateway.drain, LIMITS.explain_wait_s)
        outcome, seconds = "done", (answer["context_ms"] + answer["shap_ms"]) / 1e3
        return JSONResponse(answer)
    except SkynetError as error:
        outcome = error.code
        raise
    except ReaderLeftError:
        outcome = "cancelled"
        return Response(status_code=_READER_LEFT)
    finally:
        gateway.metrics.explained(outcome, seconds)


def read_explain(body: dict[str, Any]) -> ExplainRequest:
    """The request in a body. Raises `SkynetError` naming the field at fault."""
    for name in body:
        if name not in _FIELDS:
            raise unknown(name)
    if ("messages" in body) == ("context" in body):
        raise invalid("invalid_value", "Send either messages or context.", "context")
    fields = {name: body[name] for name in ("context", "ad") if name in body}
    if "messages" in body:
        turns = read_messages(body["messages"])
        fields["context"] = context_text([Message.model_validate(turn) for turn in turns])
    try:
        return ExplainRequest.model_validate(fields)
    except ValidationError as error:
        raise from_validation(error) from None
