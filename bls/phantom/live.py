# SPDX-License-Identifier: Apache-2.0
"""One session while it lasts: what it did in sums, who acted, and the score it has now.

It holds no list of its events: features and the demand proxy are kept up to date instead, so a
session of 5,000 events is as small as one of fifty.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from bls.errors import SkynetError, invalid
from bls.phantom.actions import omega
from bls.phantom.features import SessionFeatures
from bls.phantom.proxy import WHOLE
from bls.phantom.session import Label, Mode, Quote, SessionEvent

Actor = Literal["agent", "human", ""]


class Standing(NamedTuple):
    """Who acts, by whose word: see `bls.phantom.session.Session`."""

    label: Label = "unknown"
    origin: str = ""
    actor: Actor = ""

    def check(self) -> None:
        """Raises `invalid_label` for a label without its origin, or an actor of no driver."""
        if (self.label == "unknown") == bool(self.origin):
            raise _bad_label("A label other than unknown, and no other, has an origin.", "origin")
        if (self.label == "synthetic") != bool(self.actor):
            raise _bad_label("A synthetic session, and no other, says what it imitates.", "actor")

    def becomes(self, after: Standing) -> None:
        """Raises `synthetic_stays`: what a driver made is never taken for anybody."""
        after.check()
        if self.label == "synthetic" and after.label != "synthetic":
            why = "A synthetic session stays synthetic, however it behaves."
            raise SkynetError("synthetic_stays", why, 409, "label")


@dataclass(slots=True)
class LiveSession:
    """Attributes:
    start_ms: of its first event, or when it was first heard of; Unix milliseconds.
    heard: Unix seconds, when it was last heard of.
    user_agent: SHA-256 of the header, salted; empty when unknown.
    score, served: f(tau) and the version that said so (`bls.models.served_id`), when any has.
    unscored_since: Unix seconds of the oldest act that the score leaves out; 0 for none.
    weights: q_hat of each item acted on, before it is normalised.
    shown: prices shown of each item.
    """

    sid: str
    mode: Mode
    start_ms: int
    heard: float
    features: SessionFeatures
    experiment: str = ""
    condition: str = ""
    standing: Standing = field(default_factory=Standing)
    user_agent: str = ""
    score: float | None = None
    served: int = 0
    unscored_since: float = 0.0
    weights: dict[str, float] = field(default_factory=dict)
    shown: dict[str, int] = field(default_factory=dict)

    @property
    def events(self) -> int:
        return self.features.events

    @property
    def quotes(self) -> int:
        return sum(self.shown.values())

    def push(self, event: SessionEvent) -> None:
        """One act more."""
        if not self.events:
            self.start_ms = event.ts_ms
        self.features.push(event)
        self.unscored_since = self.unscored_since or self.heard
        if event.item:
            self.weights[event.item] = self.weights.get(event.item, 0.0) + omega(event.action)

    def scored(self, score: float, served: int) -> None:
        """f(tau) of everything so far, and the version that said so."""
        self.score, self.served, self.unscored_since = score, served, 0.0

    def quoted(self, quote: Quote) -> None:
        """One price more was shown."""
        self.features.quoted(quote)
        self.shown[quote.item] = self.shown.get(quote.item, 0) + 1

    def demand(self) -> dict[str, float]:
        """item -> its part of 100; only items that were acted on."""
        total = sum(self.weights.values())
        return {item: WHOLE * weight / total for item, weight in self.weights.items()}


def _bad_label(why: str, param: str) -> SkynetError:
    return invalid("invalid_label", why, param)
