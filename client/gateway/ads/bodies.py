# SPDX-License-Identifier: Apache-2.0
"""The bodies of requests about campaigns, and records as JSON."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import Field, ValidationError, field_validator, model_validator
from starlette.requests import Request

from bls.ads.orders import Micros
from bls.ads.records import CampaignRecord, CreativeRecord, NewCreative, Status
from bls.errors import invalid
from bls.guard.categories import CATEGORIES
from bls.limits import LIMITS
from bls.request import Identifier, Name, Strict, from_validation
from client.gateway.body import read_json

Body = TypeVar("Body", bound=Strict)
Seconds = Annotated[int, Field(ge=0, le=2**40)]
PAGE = 1_000
_DIGITS = len(str(2**62))


class CampaignBody(Strict):
    """`POST /campaigns`: the whole campaign, new or in place of the one of this name.

    Attributes:
        advertiser: whose; an advertiser's own key says it already.
    """

    campaign_id: Identifier
    advertiser: Name | None = None
    brand: Annotated[str, Field(min_length=1, max_length=80)]
    category: Name = "general"
    bid: Annotated[float, Field(ge=0, le=LIMITS.bid_max)]
    cpm_micros: Micros | None = None
    cpc_micros: Micros | None = None
    start_ts: Seconds = 0
    end_ts: Seconds | None = None
    frequency_cap: Annotated[int, Field(ge=1, le=10_000)] | None = None
    status: Annotated[str, Field(pattern="^(active|paused)$")] = "active"

    @field_validator("brand")
    @classmethod
    def _printable(cls, brand: str) -> str:
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in brand):
            raise ValueError("holds control characters")
        return brand

    @field_validator("category")
    @classmethod
    def _known(cls, category: str) -> str:
        if category not in CATEGORIES:
            raise ValueError("not a category")
        return category

    @model_validator(mode="after")
    def _ordered(self) -> CampaignBody:
        if self.end_ts is not None and self.end_ts <= self.start_ts:
            raise ValueError("a campaign ends after it starts")
        return self

    def record(self, advertiser: str) -> CampaignRecord:
        """What is stored for `advertiser`."""
        fields = self.model_dump() | {"advertiser": advertiser, "status": Status(self.status)}
        return CampaignRecord(**fields)


class CreativeBody(Strict):
    """One creative; its advertiser is its campaign's."""

    msg_id: Identifier
    campaign_id: Identifier
    text: str

    def new(self) -> NewCreative:
        return NewCreative(self.msg_id, self.campaign_id, self.text)


class CreativesBody(Strict):
    """`POST /creatives`: all of them are stored, or none."""

    creatives: Annotated[
        tuple[CreativeBody, ...], Field(min_length=1, max_length=LIMITS.creatives_per_request)
    ]


async def read_body(request: Request, kind: type[Body], timeout_s: float) -> Body:
    """The request's body. Raises `SkynetError` naming the field at fault."""
    fields = await read_json(request, timeout_s)
    try:
        return kind.model_validate_json(orjson.dumps(fields))
    except ValidationError as error:
        raise from_validation(error) from None


def page(request: Request) -> tuple[int, int]:
    """`?after=SEQ&limit=N`. Raises `invalid_value`."""
    found = []
    for name, default, most in (("after", 0, 2**62), ("limit", PAGE, PAGE)):
        text = request.query_params.get(name, str(default))
        if len(text) > _DIGITS or not text.isdecimal() or not int(text) <= most:
            raise invalid("invalid_value", f"A whole number from 0 to {most}.", name)
        found.append(int(text))
    return found[0], found[1]


def campaign_json(record: CampaignRecord) -> dict[str, Any]:
    """As it is stored."""
    return {**vars(record), "status": record.status.value}


def creative_json(record: CreativeRecord) -> dict[str, Any]:
    """Without its embedding."""
    return {
        "msg_id": record.msg_id,
        "campaign_id": record.campaign_id,
        "advertiser": record.advertiser,
        "text": record.text,
        "version": record.version,
        "checked": record.checked.value,
        "reason": record.reason,
        "embedded": record.embedding is not None,
        "seq": record.seq,
    }
