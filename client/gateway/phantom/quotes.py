# SPDX-License-Identifier: Apache-2.0
"""`POST /v1/quotes`: what a session is asked for the items of a page (docs/phantom_prices.md)."""

from __future__ import annotations

from typing import Annotated

import orjson
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bls.limits import LIMITS
from bls.phantom.session import Mode
from bls.phantom.shop import catalogue
from bls.request import Identifier, Strict
from client.gateway.body import read_json
from client.gateway.keys import require_key
from client.gateway.phantom.bodies import read
from client.gateway.state import gateway_of


class QuotesBody(Strict):
    """`items` in the order of the answer; an item may be there twice."""

    session_id: Identifier
    mode: Mode
    items: Annotated[list[Identifier], Field(min_length=1, max_length=LIMITS.quotes_per_request)]


async def post_quotes(request: Request) -> Response:
    """Prices, once they are on disk as shown; the base price is an answer too, never an error."""
    gateway = gateway_of(request)
    require_key(request, gateway)
    address = request.client.host if request.client is not None else ""
    gateway.sessions.per_address.take(address)
    body = read(QuotesBody, await read_json(request, gateway.settings.body_timeout_s))
    gateway.sessions.per_session.take(body.session_id)
    given = await gateway.prices.quotes(body.session_id, body.mode, body.items)
    quotes = [
        {
            "item": one.item.item,
            "price_micros": one.price_micros,
            "base_micros": one.item.base_micros,
            "policy": one.policy,
            "version": one.version,
        }
        for one in given
    ]
    currency = catalogue(body.mode).currency
    told = {"session_id": body.session_id, "currency": currency, "quotes": quotes}
    return Response(orjson.dumps(told), media_type="application/json")


QUOTE_ROUTES = [Route("/v1/quotes", post_quotes, methods=["POST"])]
