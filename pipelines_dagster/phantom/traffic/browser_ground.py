# SPDX-License-Identifier: Apache-2.0
"""Traffic in a real browser: each session a fresh Chromium context in a running shop.

What a session was is read from what the browser asked the shop for and what the page's own script
told it. The shop records the same at its gateway, under the session id in its cookie.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from random import Random
from types import TracebackType
from typing import Self

from playwright.sync_api import BrowserContext, Error, sync_playwright

from bls.errors import SkynetError
from bls.phantom.session import Session
from bls.phantom.shop import Catalogue
from pipelines_dagster.phantom.traffic.browser_page import KEEP, BrowserPage
from pipelines_dagster.phantom.traffic.diary import Diary
from pipelines_dagster.phantom.traffic.driver import Driver, Enter
from pipelines_dagster.phantom.traffic.stall import recorded
from pipelines_dagster.phantom.traffic.view import ALL, Act, Query, Shown, View

COOKIE = "skynet_shop"
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_SIZES = ((1280, 800), (1366, 768), (1440, 900), (1536, 864), (1920, 1080))
_PHONE = (390, 844)
_ADVERTS = 6
_TIMEOUT_MS = 30_000
_LAST_MS = 150
"""For what the page tells last to be on its way."""


class BrowserGround:
    """Used as a context manager, on one thread.

    Args:
        url: of the shop.
        speed: thinks, hovers and typing take so many times less; times told are stretched back.
        most: acts of a session at which it is cut.

    Raises:
        SkynetError: `no_browser` on entering without a Chromium that starts; `shop_away`,
            `impossible_act` and what a driver fails with from `sessions`.
    """

    def __init__(self, shop: Catalogue, url: str, speed: float = 1.0, most: int = 400) -> None:
        self._shop, self._url, self._speed, self._most = shop, url, speed, most

    def __enter__(self) -> Self:
        path = next(filter(None, map(shutil.which, _NAMES)), None)
        if path is None:
            raise SkynetError("no_browser", "There is no Chromium here.", 500)
        with ExitStack() as begun:
            playwright = sync_playwright().start()
            begun.callback(playwright.stop)
            try:
                browser = playwright.chromium.launch(
                    executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
                )
            except Error:
                raise SkynetError("no_browser", "Chromium does not start here.", 500) from None
            begun.callback(browser.close)
            self._browser, self._begun = browser, begun.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._begun.close()

    def sessions(self, driver: Driver, seed: str) -> Iterator[Session]:
        """The sessions of one trip. A seed fixes what a driver decides, not what it meets."""
        rng = Random(f"{seed}/{driver.name}")
        for enter in driver.trip(self._shop, rng):
            width, height = _PHONE if driver.touch else rng.choice(_SIZES)
            context = self._browser.new_context(
                viewport={"width": width, "height": height}, has_touch=driver.touch
            )
            context.set_default_timeout(_TIMEOUT_MS)
            try:
                session = self._session(driver, enter, context, rng)
            except Error:
                raise SkynetError("shop_away", "The shop did not show the page.", 502) from None
            finally:
                context.close()
            yield session

    def _session(
        self, driver: Driver, enter: Enter, context: BrowserContext, rng: Random
    ) -> Session:
        diary = Diary(self._speed)
        context.add_init_script(KEEP)
        page = BrowserPage(
            context.new_page(), self._shop, self._url, self._speed, touch=driver.touch
        )
        self._run(enter, page, diary, rng)
        page.leave()
        diary.posted(page.told())
        page.rest(_LAST_MS * self._speed)
        sid = next((one["value"] for one in context.cookies() if one["name"] == COOKIE), "")
        return Session(
            str(sid).partition(".")[0] or f"{rng.getrandbits(80):020x}",
            self._shop.mode,
            diary.start_ms,
            diary.events(),
            diary.quotes(),
            label="synthetic",
            origin=driver.name,
            actor=driver.actor,
        )

    def _run(self, enter: Enter, page: BrowserPage, diary: Diary, rng: Random) -> None:
        """Until the driver leaves."""
        names = tuple(self._shop.items)
        view = View("outside", tuple(map(self._advert, rng.sample(names, _ADVERTS))))
        visit = enter(view)
        asked = ALL
        try:
            act = next(visit)
            for _ in range(self._most):
                if len(diary):
                    page.rest(act.think_ms)
                if act.action.startswith("hover_"):
                    page.hover(act)
                else:
                    view, asked = _done(act, page, view, asked, diary)
                act = visit.send(view)
        except StopIteration:
            pass
        visit.close()

    def _advert(self, name: str) -> Shown:
        item = self._shop.item(name)
        return Shown(name, item.title, item.base_micros, item.facets, item.dates)


def _done(
    act: Act, page: BrowserPage, before: View, asked: Query, diary: Diary
) -> tuple[View, Query]:
    """An act that asks for a page: the page, the last list asked for, and the diary written."""
    at = page.open(act, before)
    cart = before.cart
    if act.action == "add_item" and act.item not in cart:
        cart = (*cart, act.item)
    elif act.action == "remove":
        cart = tuple(one for one in cart if one != act.item)
    view = page.see(() if act.action == "purchase" else cart)
    if act.action == "purchase":
        for item in before.cart:
            diary.act(at, "purchase", item)
    else:
        for action in recorded(act, asked):
            diary.act(at, action, act.item)
    if act.action in ("add_item", "remove", "purchase"):
        diary.act(at, "page_view")
    diary.quoted(view)
    diary.posted(page.told())
    return view, act.query if view.place == "list" else asked
