# SPDX-License-Identifier: Apache-2.0
"""What a shop can be told at start; checked once, here."""

from __future__ import annotations

from dataclasses import dataclass, field

from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.phantom.session import MODES, Mode


@dataclass(frozen=True)
class StorefrontSettings:
    """Units are in the field names.

    Attributes:
        gateway: base URL of the gateway.
        api_key: presented to the gateway; browsers never see it.
        quote_timeout_s: how long a page waits for its prices before it shows base prices.
        quote_pause_s: after that many seconds the gateway is asked again once it was late.
        quote_max_age_s: an older price is asked for anew before anything is bought.
        queue: events and quotes that may wait for the gateway.
        session_queue: events of one session that may; its quotes are one an item and price.
        visit_posts_per_s, address_posts_per_s: requests of browsers to `/events`. Half of what the
            gateway takes of a session, so its pages find their prices; a page sends one in 2 s.
        gather_s: how long events wait for company in one request.
        shutdown_s: for what still waits when the shop stops.
    """

    mode: Mode
    gateway: str = "http://127.0.0.1:8080"
    api_key: str | None = field(default=None, repr=False)
    page_items: int = 12
    quote_timeout_s: float = 0.4
    quote_pause_s: float = 1.0
    quote_max_age_s: float = 900.0
    send_timeout_s: float = 5.0
    queue: int = 131_072
    session_queue: int = 256
    visit_posts_per_s: int = 10
    address_posts_per_s: int = 200
    gather_s: float = 0.05
    retry_s: float = 0.2
    retry_max_s: float = 5.0
    shutdown_s: float = 2.0
    sessions: int = 16_384
    session_idle_s: float = LIMITS.session_idle_s

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise SkynetError("unknown_mode", "The mode is hotel or airline.", 400, "mode")
        if not self.gateway.startswith(("http://", "https://")):
            raise SkynetError("bad_setting", "The gateway is an http:// or https:// URL.", 400)
