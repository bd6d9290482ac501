# SPDX-License-Identifier: Apache-2.0
"""The words of the two shops: their names, what filters go by, and the facts on a card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bls.phantom.session import Mode
from bls.phantom.shop import Item


@dataclass(frozen=True)
class Words:
    """Of one mode.

    Attributes:
        filters: facet -> its label, in the order of the form.
        per: what a price is for.
        facts: the line under a title.
        greeting: what the assistant is told to be.
    """

    name: str
    tagline: str
    search: str
    date: str
    per: str
    filters: dict[str, str]
    facts: Callable[[Item], str]
    more: str
    greeting: str


def _stay(item: Item) -> str:
    told = item.facets
    stars = "1 star" if told["stars"] == "1" else f"{told['stars']} stars"
    breakfast = {"none": "no breakfast"}.get(told["breakfast"], f"breakfast {told['breakfast']}")
    place = f"{told['km']} km to the centre"
    return " · ".join((told["city"], told["kind"], stars, breakfast, place))


def _flight(item: Item) -> str:
    told = item.facets
    flown = f"{told['airline']} {told['flight']}"
    times = f"{told['departs']} to {told['arrives']}"
    bags = {"no bag": "no bag included"}.get(told["bags"], f"{told['bags']} included")
    return " · ".join((flown, times, told["duration"], told["stops"], told["cabin"], bags))


WORDS: dict[Mode, Words] = {
    "hotel": Words(
        name="Lantern & Key",
        tagline="Rooms with somebody behind the desk, in eleven cities.",
        search="City, house or wish",
        date="A night you want",
        per="a night",
        filters={
            "city": "City",
            "kind": "Kind of house",
            "stars": "Stars",
            "breakfast": "Breakfast",
            "distance": "To the centre",
        },
        facts=_stay,
        more="Rooms are held until six in the evening of the day of arrival. Cancel free of charge "
        "until two days before; later, the first night is kept. City tax is paid at the desk.",
        greeting="You help guests of Lantern & Key, a shop for hotel rooms, choose where to stay. "
        "Answer in two or three short sentences.",
    ),
    "airline": Words(
        name="Fairwind",
        tagline="Seats across Europe and a little further, sold one by one.",
        search="City, airline or wish",
        date="The day you fly",
        per="a seat",
        filters={
            "from": "From",
            "to": "To",
            "cabin": "Cabin",
            "stops": "Stops",
            "bags": "Bags included",
        },
        facts=_flight,
        more="Check-in opens thirty hours before departure and closes forty minutes before. "
        "Changes cost what the new fare costs more. A missed connection on one booking is put "
        "right free of charge.",
        greeting="You help travellers of Fairwind, a shop for flights, choose a flight. Answer in "
        "two or three short sentences.",
    ),
}


def options(items: list[Item], facet: str) -> list[str]:
    """Values a facet has in the catalogue, sorted."""
    return sorted({item.facets[facet] for item in items if facet in item.facets})
