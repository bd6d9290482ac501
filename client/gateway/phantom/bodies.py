# SPDX-License-Identifier: Apache-2.0
"""Bodies of the routes about sessions, checked whole: one fault refuses the request, and `param`
says where it is, `events.3.item`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, Field, ValidationError, field_validator

from bls.errors import invalid
from bls.limits import LIMITS
from bls.phantom.actions import canonical
from bls.phantom.book import ToldEvent, ToldQuote
from bls.phantom.facts import (
    DWELL_MS,
    Meta,
    check_dwell,
    check_item,
    check_time,
    kept,
    known_item,
)
from bls.phantom.session import Mode, Quote, SessionEvent
from bls.phantom.shop import Catalogue
from bls.request import ID_PATTERN, Identifier, Name, Strict, from_validation

Millis = Annotated[int, Field(ge=0, lt=2**53)]
ORIGIN = r"^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,127}$"
"""Who says so."""
IMPORT = "import:"
"""How the origin of an imported label begins, and no other."""
ACTION = r"^[A-Za-z][A-Za-z0-9_ -]{0,63}$"


class Placed(Strict):
    """The condition that an operator's driver runs under."""

    name: Name
    condition: Name


class ActBody(Strict):
    """One act; `action` may have another name, see `bls.phantom.actions.canonical`."""

    event_id: Identifier
    action: Annotated[str, Field(pattern=ACTION)]
    item: Identifier | None = None
    ts_ms: Millis
    dwell_ms: Annotated[int, Field(ge=0, le=DWELL_MS)] = 0


class EventBody(ActBody):
    """One act that comes as it happens."""

    meta: Meta | None = None


class EventsBody(Strict):
    """`POST /v1/events`."""

    session_id: Identifier
    mode: Mode
    experiment: Placed | None = None
    events: Annotated[list[EventBody], Field(min_length=1, max_length=LIMITS.events_per_request)]


class QuoteBody(Strict):
    """A price that the shop showed."""

    quote_id: Identifier
    item: Identifier
    price_micros: Annotated[int, Field(gt=0, lt=2**53)]
    ts_ms: Millis


class PricesBody(Strict):
    """`POST /v1/prices`."""

    session_id: Identifier
    mode: Mode
    quotes: Annotated[list[QuoteBody], Field(min_length=1, max_length=LIMITS.quotes_per_request)]


class LabelBody(Strict):
    """`POST /v1/sessions/{sid}/label`. With `mode` a session that is not live begins with it."""

    label: Literal["human", "agent", "synthetic", "unknown"]
    origin: Annotated[str, Field(pattern=ORIGIN)] | None = None
    actor: Literal["agent", "human", ""] | None = None
    mode: Mode | None = None

    @field_validator("origin")
    @classmethod
    def _is_no_import(cls, value: str | None) -> str | None:
        if value is not None and value.startswith(IMPORT):
            raise ValueError("import: is of imported sheets")
        return value


class Act(NamedTuple):
    """One act that fits its action, and what is recorded of it."""

    told: ToldEvent
    raw_action: str
    meta: str


class ImportedEvent(ActBody):
    """One act of a sheet, of any time and any catalogue."""

    def act(self) -> Act:
        action = canonical(self.action)
        event = SessionEvent(action, self.item or "", self.ts_ms, self.dwell_ms)
        return Act(ToldEvent(self.event_id, event), self.action, "")


class ImportBody(Strict):
    """`POST /v1/sessions/{sid}/import`."""

    mode: Mode
    label: Literal["human", "agent", "synthetic", "unknown"] = "unknown"
    origin: Annotated[str, Field(pattern=r"^import:[a-z0-9][a-z0-9_]{0,63}$")] | None = None
    actor: Literal["agent", "human"] | None = None
    events: Annotated[
        list[ImportedEvent], Field(min_length=1, max_length=LIMITS.events_per_request)
    ]


T = TypeVar("T", bound=BaseModel)


def read(model: type[T], body: dict[str, Any]) -> T:
    """Raises `SkynetError` naming the field at fault."""
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise from_validation(error) from None


def acts(body: EventsBody, shop: Catalogue, now: float) -> list[Act]:
    """The acts of a request. Raises `SkynetError` for the first that does not fit."""
    return [_act(event, shop, now, f"events.{at}") for at, event in enumerate(body.events)]


def _act(body: EventBody, shop: Catalogue, now: float, where: str) -> Act:
    action = canonical(body.action)
    item = check_item(action, body.item, shop, f"{where}.item")
    check_time(body.ts_ms, now, f"{where}.ts_ms")
    check_dwell(action, body.dwell_ms, f"{where}.dwell_ms")
    meta = kept(action, body.meta, shop, f"{where}.meta")
    event = SessionEvent(action, item, body.ts_ms, body.dwell_ms)
    return Act(ToldEvent(body.event_id, event), body.action, meta)


def quotes(body: PricesBody, shop: Catalogue, now: float) -> list[ToldQuote]:
    """The prices of a request. Raises as `acts`, and `price_out_of_bounds`."""
    return [_quote(quote, shop, now, f"quotes.{at}") for at, quote in enumerate(body.quotes)]


def _quote(body: QuoteBody, shop: Catalogue, now: float, where: str) -> ToldQuote:
    known_item(body.item, shop, f"{where}.item")
    item = shop.item(body.item)
    if not item.floor_micros <= body.price_micros <= item.ceiling_micros:
        place = f"{where}.price_micros"
        raise invalid("price_out_of_bounds", f"{place}: Not between floor and ceiling.", place)
    check_time(body.ts_ms, now, f"{where}.ts_ms")
    return ToldQuote(body.quote_id, Quote(body.item, body.price_micros, body.ts_ms))


def session_name(sid: str) -> str:
    """A session's id in a path. Raises `invalid_value`."""
    if not re.fullmatch(ID_PATTERN, sid):
        raise invalid("invalid_value", "This is no session's id.", "session_id")
    return sid
