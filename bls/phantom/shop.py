# SPDX-License-Identifier: Apache-2.0
"""What the shop sells, and the prices that nothing may cross.

One JSON file a mode in `bls/phantom/catalogue/`: `{"currency": "EUR", "items": [...]}`. It is the
price book too: whatever a policy says, a quote lies between an item's floor and its ceiling.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bls.errors import SkynetError
from bls.phantom.session import MODES, Mode

FOLDER = Path(__file__).with_name("catalogue")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing for sale. Prices are integer micro-units, cost <= floor <= base <= ceiling.

    Attributes:
        facets: what filters go by (`city`, `stars`; `from`, `to`, `cabin`).
        dates: first and last day it can be had, ISO.
    """

    item: str
    title: str
    text: str
    facets: Mapping[str, str]
    dates: tuple[str, str]
    cost_micros: int
    floor_micros: int
    base_micros: int
    ceiling_micros: int

    def __post_init__(self) -> None:
        rising = (0, self.cost_micros, self.floor_micros, self.base_micros, self.ceiling_micros)
        if sorted(rising) != list(rising) or not self.base_micros:
            raise _bad(f"{self.item}: prices must be 0 <= cost <= floor <= base <= ceiling")


@dataclass(frozen=True)
class Catalogue:
    """Of one mode, in the order of the file."""

    mode: Mode
    currency: str
    items: Mapping[str, Item]

    def item(self, name: str) -> Item:
        """Raises `unknown_item`."""
        found = self.items.get(name)
        if found is None:
            raise SkynetError("unknown_item", "There is no such item.", 404, "item")
        return found


@cache
def catalogue(mode: Mode) -> Catalogue:
    """The shipped catalogue of a mode. Raises `bad_catalogue`, `unknown_mode`."""
    if mode not in MODES:
        raise SkynetError("unknown_mode", "The mode is hotel or airline.", 404, "mode")
    return read_catalogue(FOLDER / f"{mode}.json", mode)


def read_catalogue(path: Path, mode: Mode) -> Catalogue:
    """A catalogue file. Raises `bad_catalogue` naming the item at fault."""
    try:
        told = json.loads(path.read_text())
        items = [_item(each) for each in told["items"]]
        currency = str(told["currency"])
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise _bad(f"{type(fault).__name__} in the {mode} catalogue") from None
    if len({one.item for one in items}) != len(items):
        raise _bad("an item appears twice")
    return Catalogue(mode, currency, {one.item: one for one in items})


def _item(told: Mapping[str, Any]) -> Item:
    first, last = told["dates"]
    facets = {str(key): str(value) for key, value in told["facets"].items()}
    prices = (int(told[f"{name}_micros"]) for name in ("cost", "floor", "base", "ceiling"))
    return Item(
        str(told["item"]), str(told["title"]), str(told["text"]), facets, (first, last), *prices
    )


def _bad(why: str) -> SkynetError:
    return SkynetError("bad_catalogue", f"Not a catalogue: {why}.", 500)
