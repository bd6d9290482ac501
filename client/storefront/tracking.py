# SPDX-License-Identifier: Apache-2.0
"""`POST /events`: what only the browser sees, such as how long something was hovered over.

A browser says how long ago a thing happened, not when: its clock is nobody's business and would
not agree with ours. The ids are its own, so a batch sent twice counts once.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from bls.request import Strict, from_validation
from client.storefront.body import EVENTS_BYTES, read_object
from client.storefront.shop import shop_of

_LONGEST_MS = 600_000


class Seen(Strict):
    """One act. `dwell_ms`: how long it lasted; `ago_ms`: how long ago it ended."""

    event_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{8,64}$")]
    action: Literal["hover_title", "hover_paragraph", "hover_link"]
    item: Annotated[str, Field(max_length=128)] = ""
    dwell_ms: Annotated[int, Field(ge=0, le=_LONGEST_MS)]
    ago_ms: Annotated[int, Field(ge=0, le=_LONGEST_MS)] = 0


class Batch(Strict):
    """What a page sends at once; `track.js` knows the most."""

    events: Annotated[list[Seen], Field(min_length=1, max_length=32)]


async def post_events(request: Request) -> Response:
    """204 once they wait for the gateway; those that find no room are dropped and counted.

    Raises `SkynetError`, `unknown_item` and `rate_limited` among others.
    """
    shop = shop_of(request)
    shop.per_address.take(request.client.host if request.client is not None else "")
    body = await read_object(request, EVENTS_BYTES)
    visit = shop.known(request)
    shop.per_visit.take(visit.sid)
    try:
        batch = Batch.model_validate(body)
    except ValidationError as error:
        raise from_validation(error) from None
    for seen in batch.events:
        if seen.item or seen.action != "hover_link":  # a link may be about no item
            shop.catalogue.item(seen.item)
    for seen in batch.events:
        shop.act(
            visit,
            seen.action,
            seen.item,
            dwell_ms=seen.dwell_ms,
            ago_ms=seen.ago_ms,
            event_id=f"{visit.sid}:{seen.event_id}",
        )
    return Response(status_code=204)
