# SPDX-License-Identifier: Apache-2.0
"""A page as words, and what can be done on it as a numbered list: what a language model is asked.

Nothing is offered twice in a row: an opened item, a search made, stay done, so that a model that
always says the same comes to an end too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipelines_dagster.phantom.traffic.view import ALL, Act, Query, View
from pipelines_dagster.phantom.traffic.wants import Wants

_CARDS = 8
"""Cards a model is told of: a small one loses its way in more."""
_NUMBER = re.compile(r"\d{1,3}")


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of the menu. `act` None leaves the shop."""

    words: str
    act: Act | None


def menu(view: View, wants: Wants, opened: set[str], asked: set[Query]) -> list[Choice]:
    """What is offered on a page, leaving last."""
    offered: list[Choice] = []
    if view.place == "list":
        fresh = [one for one in view.items[:_CARDS] if one.item not in opened]
        offered += [
            Choice(f"open {one.title}, {_money(one.price_micros)}", Act("view_item", one.item))
            for one in fresh
        ]
        words, cheap = replace(ALL, words=wants.words()), replace(view.query, order="price", page=1)
        if words not in asked and view.query != words:
            offered.append(Choice(f"search for {wants.words()}", Act("search", query=words)))
        if cheap not in asked and view.query.order != "price":
            offered.append(Choice("sort by price", Act("sort", query=cheap)))
        further = replace(view.query, page=view.query.page + 1)
        if view.more and further not in asked:
            offered.append(Choice("next page", Act("page_view", query=further)))
    elif view.place == "item":
        (here,) = view.items
        if here.item not in view.cart:
            offered.append(Choice("add it to the cart", Act("add_item", here.item)))
    if view.place == "cart" and view.cart:
        offered.append(Choice("go to the checkout", Act("checkout")))
    if view.place in ("item", "cart"):
        offered.append(Choice("back to the list", Act("page_view")))
    if view.place == "checkout":
        offered.append(Choice("pay", Act("purchase")))
    return [*offered, Choice("leave the shop", None)]


def prompt(view: View, wants: Wants, choices: Sequence[Choice], again: bool) -> str:
    """The question. `again`: the last answer was no number of the list."""
    lines = [f"{number}. {one.words}" for number, one in enumerate(choices, 1)]
    remind = "Your last answer was not one of the numbers.\n" if again else ""
    return (
        f"You shop for somebody who wants: {wants.words()}, for at most "
        f"{_money(wants.budget_micros)}. You see: {_page(view)}\n"
        + "\n".join(lines)
        + f"\n{remind}Answer with the number of the best next step, and nothing else."
    )


def chosen(answer: str, size: int) -> int | None:
    """Index of the choice that an answer names: its first number; None for no such line."""
    found = _NUMBER.search(answer)
    number = int(found.group()) if found else 0
    return number - 1 if 1 <= number <= size else None


def _page(view: View) -> str:
    if view.place != "item":
        return {"list": "a list of offers.", "done": "that it is bought."}.get(
            view.place, f"the {view.place}."
        )
    (here,) = view.items
    facts = ", ".join(f"{name} {value}" for name, value in sorted(here.facets.items())[:6])
    return f"{here.title}, {facts}, {_money(here.price_micros)}."


def _money(micros: int) -> str:
    return f"{micros / 1e6:.0f} euros"
