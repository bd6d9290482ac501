# SPDX-License-Identifier: Apache-2.0
"""One reply's request as it travels from the gateway to `token_auction`: JSON in `REQUEST`.

Checked once when it enters (gateway) and once at the boundary of the server (BLS), by the same
model. Unknown fields are refused by name.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import from_json

from bls.errors import SkynetError
from bls.limits import LIMITS

NAME_PATTERN = r"^[a-z0-9][a-z0-9_]{0,63}$"
ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$"

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Identifier = Annotated[str, Field(pattern=ID_PATTERN)]
Probability = Annotated[float, Field(ge=0, le=1)]


class Strict(BaseModel):
    """No unknown fields, no silent conversions, no NaN or infinity, immutable."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


def _text(text: str, name: str, most: int) -> str:
    """`text` if it says something, is Unicode and has at most `most` bytes of UTF-8."""
    if not text.strip():
        raise ValueError(f"{name} is empty")
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise ValueError(f"{name} is not valid Unicode") from error
    if size > most:
        raise ValueError(f"{name} exceeds {most} bytes")
    return text


class Message(Strict):
    """One chat turn."""

    role: Literal["system", "user", "assistant"]
    content: str

    @field_validator("content")
    @classmethod
    def _fits(cls, content: str) -> str:
        return _text(content, "message content", LIMITS.message_bytes)


class BidderRequest(Strict):
    """One advertiser in the auction of this reply.

    Attributes:
        advertiser: its name; with no `ad_prompt`, the campaign of that name supplies one.
        bid: weight w_i >= 0 in units of the blend (see README, "What a bid means");
            None takes the campaign's own bid.
        ad_prompt: what its model is told; None takes the campaign's creative.
    """

    advertiser: Name
    bid: Annotated[float, Field(ge=0, le=LIMITS.bid_max)] | None = None
    ad_prompt: Annotated[str, Field(min_length=1)] | None = None

    @field_validator("ad_prompt")
    @classmethod
    def _ad_fits(cls, ad_prompt: str | None) -> str | None:
        return ad_prompt and _text(ad_prompt, "ad_prompt", LIMITS.ad_prompt_bytes)


class AuctionOptions(Strict):
    """How the tokens of this reply are sold.

    Attributes:
        bidders: None lets the server choose campaigns.
        w_ref: weight of the reference model, > 0.
        mode: `argmax` sells the token with the largest blend, `sample` draws from the blend and
            charges the stable-sampling payment.
        charge_rule: `clarke` charges the externality, `critical_bid` charges c_t per token the
            advertiser influenced; both are always reported (docs/deviations.md).
        plan: what the end of the last hosted ad's plan ends: its `row`, while the reference goes
            on, or the `reply`, with the sentence.
    """

    bidders: Annotated[tuple[BidderRequest, ...], Field(min_length=1)] | None = None
    w_ref: Annotated[float, Field(gt=0, le=LIMITS.weight_ref_max)] = 1.0
    mode: Literal["argmax", "sample"] = "argmax"
    charge_rule: Literal["clarke", "critical_bid"] = "clarke"
    plan: Literal["row", "reply"] = "row"

    @property
    def rule(self) -> str:
        """What a receipt calls the charge: `clarke`, `critical_bid`, `stable_sampling`."""
        return "stable_sampling" if self.mode == "sample" else self.charge_rule

    @field_validator("bidders")
    @classmethod
    def _distinct(cls, value: tuple[BidderRequest, ...] | None) -> tuple[BidderRequest, ...] | None:
        if value is not None:
            if len(value) > LIMITS.bidders:
                raise ValueError(f"at most {LIMITS.bidders} bidders per reply")
            names = [bidder.advertiser for bidder in value]
            if len(set(names)) != len(names):
                raise ValueError("an advertiser appears twice")
        return value

    @model_validator(mode="after")
    def _rule_fits_mode(self) -> AuctionOptions:
        if self.mode == "sample" and self.charge_rule == "critical_bid":
            raise ValueError("charge_rule critical_bid needs mode argmax: a draw has no threshold")
        return self


class ReplyRequest(Strict):
    """Everything `token_auction` needs to write one reply.

    Attributes:
        seed: of the draws in mode `sample`; None lets the server draw one and report it.
        session_id: the shop session that the chat belongs to.
        agent_probability: f(tau) of that session as the gateway knows it; no client ever says it.
    """

    request_id: Identifier
    conv_id: Identifier
    messages: Annotated[tuple[Message, ...], Field(min_length=1, max_length=LIMITS.messages)]
    max_tokens: Annotated[int, Field(ge=1, le=LIMITS.output_tokens)] = LIMITS.default_output_tokens
    temperature: Annotated[float, Field(ge=LIMITS.temperature_min, le=LIMITS.temperature_max)] = 0.7
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    stop: Annotated[tuple[str, ...], Field(max_length=LIMITS.stop_strings)] = ()
    deadline_ms: Annotated[int, Field(ge=1, le=LIMITS.deadline_ms)] = LIMITS.deadline_ms
    user: str | None = Field(default=None, max_length=256)
    traceparent: str | None = Field(default=None, max_length=128)
    auction: AuctionOptions = AuctionOptions()
    session_id: Identifier | None = None
    agent_probability: Probability | None = None

    @field_validator("messages")
    @classmethod
    def _ends_with_user(cls, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        if messages[-1].role != "user":
            raise ValueError("the last message must have role 'user'")
        return messages

    @field_validator("stop")
    @classmethod
    def _stop_fits(cls, stop: tuple[str, ...]) -> tuple[str, ...]:
        if any(not s or len(s.encode()) > LIMITS.stop_bytes for s in stop):
            raise ValueError(f"each stop string must be 1 to {LIMITS.stop_bytes} bytes")
        return stop

    @model_validator(mode="after")
    def _score_is_of_a_session(self) -> ReplyRequest:
        if self.agent_probability is not None and self.session_id is None:
            raise ValueError("agent_probability needs the session_id it is of")
        return self


class BidUpdate(Strict):
    """New bids for advertisers of a reply that is being written; the others keep theirs."""

    request_id: Identifier
    conv_id: Identifier
    bids: Annotated[
        dict[Name, Annotated[float, Field(ge=0, le=LIMITS.bid_max)]],
        Field(min_length=1, max_length=LIMITS.bidders),
    ]


class ScoreUpdate(Strict):
    """A newer f(tau) of the shop session whose reply is being written."""

    request_id: Identifier
    conv_id: Identifier
    agent_probability: Probability


def parse_request(raw: bytes) -> ReplyRequest:
    """The request in `raw` JSON. Raises `SkynetError` naming the first field at fault."""
    return _parse(ReplyRequest, raw)


def parse_update(raw: bytes) -> BidUpdate:
    """The bid update in `raw` JSON; raises as `parse_request`."""
    return _parse(BidUpdate, raw)


def parse_score(raw: bytes) -> ScoreUpdate:
    """The score update in `raw` JSON; raises as `parse_request`."""
    return _parse(ScoreUpdate, raw)


def is_update(raw: bytes) -> bool:
    """Whether `raw` is meant as a bid update: a small JSON object with `bids`."""
    return "bids" in _small(raw)


def is_score(raw: bytes) -> bool:
    """Whether `raw` is meant as a score update: a small one with a score and no messages."""
    value = _small(raw)
    return "agent_probability" in value and "messages" not in value


def _small(raw: bytes) -> dict[str, object]:
    """The JSON object in `raw`; empty for anything else, and for what is too long for an update."""
    if len(raw) > LIMITS.bid_update_bytes:
        return {}
    try:
        value = from_json(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


_Model = TypeVar("_Model", bound=BaseModel)


def _parse(model: type[_Model], raw: bytes) -> _Model:
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise from_validation(error) from None


_WHERE = 128
"""Characters of a field's place in an error: names in it may be the caller's own."""

_CODES = {
    "extra_forbidden": "unknown_field",
    "missing": "missing_field",
    "json_invalid": "invalid_json",
    "too_long": "too_many",
    "too_short": "empty",
    "finite_number": "not_finite",
}


def from_validation(error: ValidationError) -> SkynetError:
    """The first fault of a pydantic error as our typed one; never echoes the value."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])[:_WHERE]
    code = _CODES.get(first["type"], "invalid_value")
    if where.startswith(("auction", "skynet", "bids")):
        code = code if code != "invalid_value" else "invalid_auction"
    message = first["msg"].removeprefix("Value error, ")
    return SkynetError(code, f"{where}: {message}" if where else message, 400, where or None)
