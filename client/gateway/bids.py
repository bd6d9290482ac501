# SPDX-License-Identifier: Apache-2.0
"""`PUT /v1/replies/{conv_id}/bids`: the portal where advertisers change a live reply's bids."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bls.errors import invalid
from bls.request import parse_update
from client.gateway.body import read_json
from client.gateway.fields import unknown
from client.gateway.keys import require_key
from client.gateway.state import gateway_of


async def put_bids(request: Request) -> Response:
    """`{"bids": {"advertiser": 0.8}}`; answers from which token on the new bids count."""
    gateway = gateway_of(request)
    require_key(request, gateway)
    body = await read_json(request, gateway.settings.body_timeout_s)
    for name in body:
        if name != "bids":
            raise unknown(name)
    if "bids" not in body:
        raise invalid("missing_field", "This field is required.", "bids")
    fields = {
        "request_id": request.scope["skynet.request_id"],
        "conv_id": request.path_params["conv_id"],
        "bids": body["bids"],
    }
    update = parse_update(orjson.dumps(fields))
    done = await gateway.triton.update(update, gateway.settings.update_timeout_s)
    return JSONResponse({"conv_id": done.conv_id, "applied_from": done.applied_from})
