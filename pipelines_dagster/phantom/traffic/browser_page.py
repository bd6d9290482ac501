# SPDX-License-Identifier: Apache-2.0
"""Acts done in a real page of the shop: what is clicked, typed, selected, pointed at.

Elements are found by what the shop promises its visitors' programs: `data-item`, `data-action`,
`data-hover`, `data-price-micros` and the names of form fields.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from playwright.sync_api import Locator, Page

from bls.phantom.shop import Catalogue
from pipelines_dagster.phantom.traffic.address import amount, path_of
from pipelines_dagster.phantom.traffic.stall import impossible
from pipelines_dagster.phantom.traffic.view import ALL, ASKING, Act, Place, Query, Shown, View

_SEEN = """() => ({
  path: location.pathname,
  more: document.querySelector('a[rel="next"]') !== null,
  items: [...document.querySelectorAll('main [data-item]')].map(one => [
    one.dataset.item, Number(one.querySelector('[data-price-micros]')?.dataset.priceMicros ?? 0)]),
})"""
KEEP = """(() => {
  const send = window.fetch;
  window.fetch = (where, how) => {
    if (String(where).endsWith('/events')) {
      const kept = JSON.parse(sessionStorage.getItem('driver') ?? '[]');
      sessionStorage.setItem('driver', JSON.stringify([...kept, [Date.now() / 1000, how.body]]));
    }
    return send(where, how);
  };
})()"""
"""Run before every page: keeps a copy of what its script tells the shop, across pages. The network
events of a page that is going away are lost to the driver."""
_KEPT = """() => {
  const kept = JSON.parse(sessionStorage.getItem('driver') ?? '[]');
  sessionStorage.removeItem('driver');
  return kept;
}"""
_PLACES: dict[str, Place] = {"": "list", "item": "item", "cart": "cart", "checkout": "checkout"}
_KEY_MS = 90
"""Between two keys, for every driver alike, so that it tells nothing (chosen; people take 240 ms on
average, Dhakal et al., CHI 2018)."""


class BrowserPage:
    """One tab.

    Args:
        speed: how many times faster than told everything is waited for.
        touch: taps instead of clicks.
    """

    def __init__(
        self, page: Page, shop: Catalogue, base: str, speed: float, touch: bool = False
    ) -> None:
        self._page, self._shop, self._base = page, shop, base.rstrip("/")
        self._speed, self._touch = speed, touch
        self._query = ALL

    def see(self, cart: tuple[str, ...]) -> View:
        """The page as it stands. Raises `impossible_act` for one of an item not sold here."""
        seen: dict[str, Any] = self._page.evaluate(_SEEN)
        place = _PLACES.get(seen["path"].split("/")[1], "done")
        if place == "done":
            return View("done")
        shown = tuple(self._shown(item, price) for item, price in seen["items"])
        if place == "list":
            return View(place, shown, cart, self._query, bool(seen["more"]))
        return View(place, shown, cart)

    def told(self) -> list[tuple[float, str]]:
        """What the script has told the shop since it was last asked: Unix time and body."""
        return [(at, body) for at, body in self._page.evaluate(_KEPT)]

    def leave(self) -> None:
        """The visit is over: hovers that still go on end."""
        self._page.mouse.move(2, 2)
        self._page.evaluate("dispatchEvent(new Event('pagehide'))")

    def rest(self, ms: float) -> None:
        """Milliseconds of the visitor's time."""
        self._page.wait_for_timeout(ms / self._speed)

    def hover(self, act: Act) -> None:
        """The pointer on a thing, for as long as told, and off it again."""
        thing = self._one(f'[data-item="{act.item}"] [data-hover="{act.action}"]')
        if not thing.count():
            thing = self._one(f'[data-hover="{act.action}"]')
        self._need(thing)
        thing.hover()
        self.rest(act.dwell_ms)
        self._page.mouse.move(2, 2)

    def open(self, act: Act, before: View) -> float:
        """The page an act leads to; the Unix time at which it was asked for."""
        if act.action in ASKING or (act.action == "page_view" and act.place == "list"):
            return self._list(act, before)
        if act.action == "page_view":
            return self._press(act, 'a[href="/cart"]')
        if before.place == "outside":
            return self._go(f"/item/{act.item}")
        within = f'main [data-item="{act.item}"] ' if act.item else ""
        return self._press(act, f'{within}[data-action="{act.action}"]')

    def _list(self, act: Act, before: View) -> float:
        query, self._query = act.query, act.query
        here = before.query
        if before.place == "list" and query == replace(here, page=here.page + 1):
            return self._press(act, 'a[rel="next"]')
        if act.action == "page_view" and query == ALL and before.place != "outside":
            return self._press(act, 'a[href="/"]')
        if act.action not in ASKING or before.place != "list" or not _one_change(here, query):
            return self._go(path_of(query))
        return self._press(act, self._fill(act.action, query, here))

    def _fill(self, action: str, query: Query, here: Query) -> str:
        """Writes one field of the search form; the button to press."""
        form = self._page.locator("form", has=self._page.locator('[data-action="search"]')).first
        if action == "search":
            field = form.locator('[name="q"]')
            field.fill("")
            field.press_sequentially(query.words, delay=_KEY_MS / self._speed)
        elif action == "filter_date":
            form.locator('[name="date"]').fill(query.date)
        elif action == "sort":
            form.locator('[name="sort"]').select_option(query.order)
        elif query.max_price_micros != here.max_price_micros:
            form.locator('[name="max_price"]').fill(amount(query.max_price_micros or 0))
        else:
            return self._fill_facets(form, query)
        return f'[data-action="{action}"]'

    def _fill_facets(self, form: Locator, query: Query) -> str:
        for name, value in query.facets:
            field = form.locator(f'select[name="{name}"]')
            if not field.is_visible():
                form.locator("summary").first.click()
            field.select_option(value)
        return '[data-action="filter_price"][data-filter="facets"]'

    def _press(self, act: Act, selector: str) -> float:
        thing = self._one(selector)
        self._need(thing)
        if not self._touch:
            thing.hover()
            self.rest(act.aim_ms)
        with self._page.expect_navigation(wait_until="domcontentloaded"):
            at = time.time()
            if self._touch:
                thing.tap()
            else:
                thing.click()
        return at

    def _go(self, path: str) -> float:
        at = time.time()
        self._page.goto(self._base + path, wait_until="domcontentloaded")
        return at

    def _one(self, selector: str) -> Locator:
        return self._page.locator(selector).first

    def _need(self, thing: Locator) -> None:
        if not thing.count():
            raise impossible()

    def _shown(self, name: str, price_micros: int) -> Shown:
        item = self._shop.item(name)
        return Shown(name, item.title, price_micros, item.facets, item.dates)


def _one_change(here: Query, query: Query) -> bool:
    """Whether the form, as it stands on the page, needs one field changed."""
    now = replace(query, page=1)
    changes = [
        here.words != now.words,
        here.order != now.order,
        here.facets != now.facets,
        here.max_price_micros != now.max_price_micros,
        here.date != now.date,
    ]
    return sum(changes) == 1 == query.page
