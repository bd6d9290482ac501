# SPDX-License-Identifier: Apache-2.0
"""Kinds of person-like visitors and the published behaviour that their numbers come from.

The kinds are Moe's (J. Consumer Psychology 2003): hedonic browsing, search and deliberation,
directed buying; to them a visitor who comes back and one on a phone are added. Numbers that no
source gives are marked "chosen" in docs/phantom_traffic.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines_dagster.phantom.traffic.tempo import HASTY, PERSON, THUMB, Tempo


@dataclass(frozen=True, slots=True)
class Persona:
    """A kind.

    Attributes:
        name: the driver's.
        depth: mean number of pages of a visit; `depth_shape` is the other parameter of the inverse
            Gaussian that session lengths follow (Huberman et al., Science 1998, "law of surfing").
        position: exponent of rank in the chance that a card is looked at at all (position bias).
        hovers: chance that a card looked at is pointed at.
        clicks: chance that a card looked at is opened, before its scent.
        searches, refines: chance to begin with a search; to narrow or order a list when it
            disappoints.
        leaves: how far below the visitor's running mean a list may fall before it is left
            (information foraging: Pirolli and Card, Psychological Review 1999).
        adds: chance to put a thing that is liked into the cart.
        checks_out, pays: then to go on to the checkout, and to pay there.
        returns: chance of one more session on the same errand.
    """

    name: str
    tempo: Tempo
    depth: float
    depth_shape: float
    position: float
    hovers: float
    clicks: float
    searches: float
    refines: float
    leaves: float
    adds: float
    checks_out: float
    pays: float
    returns: float = 0.0


BROWSER = Persona("browser", PERSON, 7.0, 6.0, 0.8, 0.45, 0.30, 0.15, 0.25, 0.6, 0.09, 0.55, 0.75)
COMPARER = Persona(
    "comparer", PERSON, 14.0, 14.0, 0.5, 0.50, 0.45, 0.55, 0.60, 0.4, 0.06, 0.55, 0.75, 0.15
)
IMPULSE = Persona("impulse", HASTY, 4.5, 4.0, 1.0, 0.35, 0.50, 0.20, 0.15, 0.8, 0.14, 0.60, 0.75)
RETURNING = Persona(
    "returning", PERSON, 8.0, 8.0, 0.7, 0.40, 0.45, 0.40, 0.35, 0.5, 0.12, 0.60, 0.75, 0.75
)
MOBILE = Persona("mobile", THUMB, 5.0, 4.0, 1.0, 0.0, 0.30, 0.20, 0.20, 0.7, 0.10, 0.40, 0.50)

PERSONAS = (BROWSER, COMPARER, IMPULSE, RETURNING, MOBILE)
