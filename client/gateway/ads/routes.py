# SPDX-License-Identifier: Apache-2.0
"""`/budget/{advertiser}`, `/campaigns`, `/creatives` (docs/campaigns.md)."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bls.ads.orders import BudgetOrder
from bls.ads.records import CampaignRecord, Checked, CreativeRecord
from bls.ads.store import AdStore
from bls.errors import SkynetError, invalid
from bls.request import NAME_PATTERN
from client.gateway.ads.bodies import (
    CampaignBody,
    CreativesBody,
    campaign_json,
    creative_json,
    page,
    read_body,
)
from client.gateway.ads.caller import Caller, admit, not_yours
from client.gateway.ads.intake import take_in
from client.gateway.state import gateway_of

_KEY_CHARS = 200


async def get_budget(request: Request) -> Response:
    """How an advertiser's budget stands, read now."""
    advertiser = request.path_params["advertiser"]
    desk, _ = await admit(request, advertiser)
    _checked(advertiser)
    return JSONResponse(await desk.run(lambda: desk.orders.budget(advertiser)))


async def post_budget(request: Request) -> Response:
    """Set it, once for each Idempotency-Key."""
    advertiser = request.path_params["advertiser"]
    desk, _ = await admit(request, advertiser)
    _checked(advertiser)
    key = request.headers.get("idempotency-key", "")
    if not 1 <= len(key) <= _KEY_CHARS:
        message = "Send an Idempotency-Key: the same one for the same order."
        raise invalid("idempotency_key_required", message, "idempotency-key")
    order = await read_body(request, BudgetOrder, _patience(request))
    return JSONResponse(await desk.run(lambda: desk.orders.set_budget(advertiser, order, key)))


async def get_campaigns(request: Request) -> Response:
    """The caller's, or everybody's for the operator, a page at a time."""
    desk, caller = await admit(request)
    after, limit = page(request)
    found = await desk.run(lambda: _campaigns(desk.store, caller, after, limit))
    return _page("campaigns", [campaign_json(record) for record in found], limit)


async def post_campaign(request: Request) -> Response:
    """Store a campaign, whole."""
    desk, caller = await admit(request)
    body = await read_body(request, CampaignBody, _patience(request))
    advertiser = body.advertiser or caller.advertiser
    if advertiser is None:
        raise invalid("missing_field", "This field is required.", "advertiser")
    caller.may(advertiser)

    def work() -> CampaignRecord:
        name = body.campaign_id
        if not caller.may_name(name) and desk.store.campaign(name) is None:
            raise not_yours("campaign_id")
        return desk.store.put_campaign(body.record(advertiser))

    record = await desk.run(work)
    return JSONResponse(campaign_json(record), 201)


async def get_creatives(request: Request) -> Response:
    """The caller's, or everybody's for the operator, a page at a time; no deleted ones."""
    desk, caller = await admit(request)
    after, limit = page(request)
    found = await desk.run(lambda: _creatives(desk.store, caller, after, limit))
    alive = [creative_json(record) for record in found if not record.deleted]
    following = found[-1].seq if len(found) == limit and found else None
    return JSONResponse({"creatives": alive, "next_after": following})


async def post_creatives(request: Request) -> Response:
    """201 when all may be shown, 202 while the guard has yet to see them."""
    desk, caller = await admit(request)
    body = await read_body(request, CreativesBody, _patience(request))
    stored = await take_in(desk, caller, [creative.new() for creative in body.creatives])
    waiting = any(record.checked is Checked.WAITING for record in stored)
    answer = {"creatives": [creative_json(record) for record in stored]}
    return JSONResponse(answer, 202 if waiting else 201)


async def get_creative(request: Request) -> Response:
    """One creative."""
    desk, caller = await admit(request)
    name = request.path_params["msg_id"]
    return JSONResponse(creative_json(await desk.run(lambda: _own(desk.store, caller, name))))


async def delete_creative(request: Request) -> Response:
    """It is never chosen again; its name is never used again."""
    desk, caller = await admit(request)
    name = request.path_params["msg_id"]

    def work() -> None:
        _own(desk.store, caller, name)
        desk.store.delete_creative(name)

    await desk.run(work)
    return JSONResponse({"msg_id": name, "deleted": True})


def _checked(advertiser: str) -> None:
    if not re.fullmatch(NAME_PATTERN, advertiser):
        raise invalid("invalid_value", "A name is a-z, 0-9 and _.", "advertiser")


def _own(store: AdStore, caller: Caller, name: str) -> CreativeRecord:
    record = store.creative(name)
    if record is None or record.deleted:
        raise SkynetError("unknown_creative", "There is no such creative.", 404, "msg_id")
    caller.may(record.advertiser)
    return record


def _campaigns(store: AdStore, caller: Caller, after: int, limit: int) -> list[CampaignRecord]:
    return list(store.campaigns(after, limit, caller.advertiser))


def _creatives(store: AdStore, caller: Caller, after: int, limit: int) -> list[CreativeRecord]:
    if caller.advertiser is None:
        return list(store.creatives(after, limit))
    return list(store.creatives_of(caller.advertiser, after, limit))


def _page(name: str, found: list[dict[str, object]], limit: int) -> Response:
    """`next_after` is what to ask for next, null on the last page."""
    following = found[-1]["seq"] if len(found) == limit and found else None
    return JSONResponse({name: found, "next_after": following})


def _patience(request: Request) -> float:
    return gateway_of(request).settings.body_timeout_s


AD_ROUTES = [
    Route("/budget/{advertiser}", get_budget, methods=["GET"]),
    Route("/budget/{advertiser}", post_budget, methods=["POST"]),
    Route("/campaigns", get_campaigns, methods=["GET"]),
    Route("/campaigns", post_campaign, methods=["POST"]),
    Route("/creatives", get_creatives, methods=["GET"]),
    Route("/creatives", post_creatives, methods=["POST"]),
    Route("/creatives/{msg_id}", get_creative, methods=["GET"]),
    Route("/creatives/{msg_id}", delete_creative, methods=["DELETE"]),
]
