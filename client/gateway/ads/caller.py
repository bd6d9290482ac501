# SPDX-License-Identifier: Apache-2.0
"""Who calls: the operator, who may do everything, or one advertiser, who may touch its own."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from starlette.requests import Request

from bls.ads import advertisers
from bls.errors import SkynetError
from client.gateway.ads.desk import AdDesk
from client.gateway.state import Gateway, gateway_of

_OPERATOR = "*"


@dataclass(frozen=True)
class Caller:
    """`advertiser` None: the operator."""

    advertiser: str | None

    def may(self, advertiser: str) -> None:
        """Raise `forbidden` (403) unless the caller may touch what is `advertiser`'s."""
        if self.advertiser not in (None, advertiser):
            raise SkynetError("forbidden", "This belongs to another advertiser.", 403)

    def may_name(self, name: str) -> bool:
        """Whether the caller may make something of this name.

        `_` does not part: names of advertisers hold it, so `alpine` could take `alpine_rail`.
        """
        mine = self.advertiser
        return mine is None or name == mine or name.startswith((f"{mine}.", f"{mine}-", f"{mine}:"))


def not_yours(param: str) -> SkynetError:
    """The name is somebody else's to give."""
    message = "Begin the name with your advertiser's and one of . - :"
    return SkynetError("name_not_yours", message, 403, param)


async def admit(request: Request, about: str | None = None) -> tuple[AdDesk, Caller]:
    """The desk, and who calls, within its rate.

    The operator has the key of the gateway, or none where the gateway asks for none.

    Args:
        about: the advertiser it is about, where the path says so.

    Raises:
        SkynetError: `ads_unavailable` (503), `invalid_api_key` (401), `forbidden` (403),
            `rate_limited` (429).
    """
    gateway = gateway_of(request)
    desk = gateway.ads
    _ = desk.engine
    caller = await _caller(request, gateway)
    if about is not None:
        caller.may(about)
    desk.limiter.take(caller.advertiser or f"{_OPERATOR}{about or ''}")
    return desk, caller


async def _caller(request: Request, gateway: Gateway) -> Caller:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    given, wanted = given.strip(), gateway.settings.api_key
    if not given and wanted is None:
        return Caller(None)
    if scheme.lower() == "bearer" and given:
        if wanted is not None and hmac.compare_digest(given.encode(), wanted.encode()):
            return Caller(None)
        owner = await _owner(gateway.ads, given)
        if owner is not None:
            return Caller(owner)
    raise SkynetError("invalid_api_key", "A valid API key is required.", 401)


async def _owner(desk: AdDesk, given: str) -> str | None:
    """Whose key it is. What cannot be one costs nothing, and wrong ones share one small rate;
    a key that was right before is asked for without, and ends at once all the same."""
    if not advertisers.looks_like_key(given):
        return None
    if not desk.right_keys.knows(given):
        desk.wrong_keys.check(_OPERATOR)
    owner = await desk.run(lambda: advertisers.owner_of(desk.engine, given))
    desk.right_keys.note(given, right=owner is not None)
    if owner is None:
        desk.wrong_keys.take(_OPERATOR)
    return owner
