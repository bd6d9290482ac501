# SPDX-License-Identifier: Apache-2.0
"""Who is in the shop: a visit by its cookie, in bounded memory.

The cookie is `<session id>.<secret>`. Only the session id leaves the shop (it is what events and
prices are recorded under), so nobody who reads records can take over a cart.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from client.storefront.orders import Offer, Order
from client.storefront.search import Criteria

COOKIE = "skynet_shop"
CART_ITEMS = 20
CART_COUNT = 9
ORDERS = 20


@dataclass(frozen=True, slots=True)
class Shown:
    """A price as it was shown: `policy` says who set it, `at` is monotonic seconds."""

    price_micros: int
    base_micros: int
    policy: str
    at: float


@dataclass(slots=True)
class Visit:
    """One session. `shown` holds the last price of every item that was shown one.

    `secure`: it came over TLS, so its cookie goes nowhere else.
    """

    sid: str
    secret: str
    user_agent: str
    seen: float
    cart: dict[str, int] = field(default_factory=dict)
    shown: dict[str, Shown] = field(default_factory=dict)
    criteria: Criteria = field(default_factory=Criteria)
    offer: Offer | None = None
    orders: dict[str, Order] = field(default_factory=dict)
    chatting: bool = False
    secure: bool = False

    @property
    def cookie(self) -> str:
        return f"{self.sid}.{self.secret}"

    @property
    def count(self) -> int:
        """Things in the cart."""
        return sum(self.cart.values())

    def conversation(self, chat: str) -> str:
        """The gateway's id of one of its chats: the same on every page, and no way back to `sid`.

        Without the secret, which ends with the visit, nobody can tell whose chat it was.
        """
        return f"chat-{hmac.digest(self.secret.encode(), chat.encode(), 'sha256').hex()[:32]}"

    def add(self, item: str) -> bool:
        """One more of `item`; False where the cart holds no more."""
        have = self.cart.get(item, 0)
        if have >= CART_COUNT or (not have and len(self.cart) >= CART_ITEMS):
            return False
        self.cart[item] = have + 1
        return True

    def place(self, order: Order) -> None:
        """The order stands; the cart is empty again. The oldest of many orders is forgotten."""
        self.orders[order.order_id] = order
        while len(self.orders) > ORDERS:
            del self.orders[next(iter(self.orders))]
        self.cart.clear()
        self.offer = None


class Visits:
    """At most `capacity` visits; an idle one ends, and past the limit the idlest does."""

    def __init__(
        self, capacity: int, idle_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity, self._idle_s, self._clock = capacity, idle_s, clock
        self._held: OrderedDict[str, Visit] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def find(self, cookie: str | None) -> Visit | None:
        """The visit of a cookie, or None: forged, ended, or of another run of the shop."""
        sid, _, secret = (cookie or "").partition(".")
        visit = self._held.get(sid)
        if visit is None or not secrets.compare_digest(visit.secret.encode(), secret.encode()):
            return None
        now = self._clock()
        if now - visit.seen > self._idle_s:
            del self._held[sid]
            return None
        visit.seen = now
        self._held.move_to_end(sid)
        return visit

    def open(self, user_agent: str) -> Visit:
        """A new visit."""
        sid = f"shop-{secrets.token_hex(12)}"
        visit = Visit(sid, secrets.token_urlsafe(24), user_agent[:512], self._clock())
        self._held[sid] = visit
        while len(self._held) > self._capacity:
            self._held.popitem(last=False)
        return visit
