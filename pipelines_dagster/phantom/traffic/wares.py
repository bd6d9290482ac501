# SPDX-License-Identifier: Apache-2.0
"""A made-up catalogue, for tests and for a checkout without a shipped one."""

from __future__ import annotations

from random import Random

from bls.phantom.session import Mode
from bls.phantom.shop import Catalogue, Item

_FACETS: dict[Mode, dict[str, tuple[str, ...]]] = {
    "hotel": {"city": ("Aurel", "Brine", "Calder", "Dunmere", "Elst"), "stars": ("2", "3", "4")},
    "airline": {
        "from": ("AUR", "BRI", "CAL"),
        "to": ("DUN", "ELS", "FER"),
        "cabin": ("eco", "biz"),
    },
}
_DAYS = ("2027-01-01", "2027-12-31")


def made_up(mode: Mode, size: int = 60, seed: int = 0) -> Catalogue:
    """Items with facets and prices drawn from a seed."""
    rng = Random(f"wares/{mode}/{seed}")
    items = {}
    for number in range(size):
        facets = {name: rng.choice(values) for name, values in _FACETS[mode].items()}
        base = 1_000_000 * round(rng.lognormvariate(4.6, 0.5))
        name = f"{mode[0]}{number:02d}"
        items[name] = Item(
            name,
            " ".join((*facets.values(), str(number))),
            f"A {mode} offer, number {number}.",
            facets,
            _DAYS,
            int(0.6 * base),
            int(0.75 * base),
            base,
            int(1.3 * base),
        )
    return Catalogue(mode, "EUR", items)
