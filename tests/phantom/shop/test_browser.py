# SPDX-License-Identifier: Apache-2.0
"""The shop in a real headless Chromium: with a mouse, on a phone, and by keyboard alone."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from bls.phantom.shop import catalogue
from tests.phantom.shop.conftest import KEY
from tests.phantom.shop.live_shop import LiveShop
from tests.phantom.shop.stub_gateway import DISCLOSURE, WORDS, StubGateway, at, poll

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.spec("PH-06"),
]

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}
SOLD = catalogue("hotel")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


def open_page(browser: Any, shop: LiveShop, size: dict[str, int], **more: Any) -> Any:
    """A page of a new visitor, with what went wrong on it in `page.faults`."""
    context = browser.new_context(viewport=size, base_url=shop.url, **more)
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.faults = []
    page.on("pageerror", lambda fault: page.faults.append(str(fault)))
    page.on("console", lambda told: told.type == "error" and page.faults.append(told.text))
    return page


def fits(page: Any) -> bool:
    """Whether nothing sticks out to the side."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def price_on(page: Any) -> int:
    return int(page.locator("main [data-price-micros]").first.get_attribute("data-price-micros"))


@pytest.mark.spec("PH-05")
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_browse_chat_price_checkout(
    browser: Any, shop: LiveShop, gateway: StubGateway, size: dict[str, int]
) -> None:
    gateway.quote = at(1.05)
    more = {"is_mobile": True, "has_touch": True} if size is PHONE else {}
    page = open_page(browser, shop, size, **more)
    page.goto("/")
    assert fits(page) and page.locator("[data-item]").count() == 12
    page.fill("[name=q]", "ghent")
    page.click("[data-action=search]")
    page.fill("[name=max_price]", "120")
    page.click("[data-action=filter_price] >> nth=0")
    page.select_option("[name=sort]", "price")
    page.click("[data-action=sort]")
    shown = [
        int(one.get_attribute("data-price-micros"))
        for one in page.locator("[data-price-micros]").all()
    ]
    assert shown == sorted(shown) and len(shown) >= 3 and fits(page)
    card = page.locator("[data-item=ghe-bookbinder]")
    card.locator("[data-hover=hover_paragraph]").hover()
    page.wait_for_timeout(400)
    card.locator("[data-action=view_item]").click()
    page.wait_for_url("**/item/ghe-bookbinder")
    assert fits(page)
    price = price_on(page)
    assert price > SOLD.item("ghe-bookbinder").base_micros
    chat(page)
    assert fits(page)
    page.click("[data-action=add_item]")
    page.wait_for_url("**/cart")
    assert fits(page)
    kept = page.locator("#chat-log")
    assert kept.locator("mark.sponsored").count() == 2, "the next page shows what was said"
    assert kept.locator(".disclosure").inner_text() == DISCLOSURE
    page.click("[data-action=checkout]")
    page.wait_for_url("**/checkout")
    assert fits(page) and page.locator("[data-total-micros]").inner_text() == f"€{price / 1e6:.2f}"
    page.click("[data-action=purchase]")
    page.wait_for_url("**/thanks?order=*")
    assert page.locator("[data-total-micros]").get_attribute("data-total-micros") == str(price)
    assert page.faults == []
    assert poll(lambda: gateway.actions()[-2:] == ["purchase", "page_view"])
    acts = [act for act in gateway.actions() if not act.startswith("hover_")]
    assert acts == [
        "page_view", "search", "filter_price", "sort", "view_item",
        "add_item", "page_view", "checkout", "purchase", "page_view",
    ]  # fmt: skip
    dwelt = [one for one in gateway.events() if one["action"] == "hover_paragraph"]
    assert dwelt and {one["item"] for one in dwelt} == {"ghe-bookbinder"}
    assert all(one["dwell_ms"] >= 250 for one in dwelt)
    page.context.close()


def chat(page: Any) -> None:
    """Ask, and find the sponsored words marked, their sponsor disclosed and a receipt."""
    page.fill("#chat-text", "Where is it quiet?")
    page.click("#chat-send")
    page.wait_for_selector("#chat-log .receipt")
    assert page.locator("#chat-log .reply").inner_text() == "".join(WORDS)
    marked = page.locator("#chat-log mark.sponsored")
    assert marked.all_inner_texts() == [" Harbor", " rooms"]
    assert marked.first.get_attribute("title") == "sponsored by harbor hotels"
    assert page.locator("#chat-log .disclosure").inner_text() == DISCLOSURE
    assert re.search("2 of 8 .* sponsored", page.locator("#chat-log .receipt").inner_text())
    assert page.locator("#chat-log [aria-busy]").count() == 0


def focus_on(page: Any, selector: str, key: str = "Tab", most: int = 60) -> None:
    """Tab until the focus is there; every stop on the way must show its focus."""
    for _ in range(most):
        page.keyboard.press(key)
        if page.evaluate("(s) => document.activeElement.matches(s)", selector):
            width = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
            assert width != "0px", f"the focus on {selector} cannot be seen"
            return
    raise AssertionError(f"the keyboard does not reach {selector}")


def test_by_keyboard_alone(browser: Any, shop: LiveShop, gateway: StubGateway) -> None:
    page = open_page(browser, shop, DESKTOP)
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    focus_on(page, "#q")
    page.keyboard.type("bookbinder")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=bookbinder**")
    focus_on(page, "[data-action=view_item]")
    page.wait_for_timeout(300)
    page.keyboard.press("Enter")
    page.wait_for_url("**/item/ghe-bookbinder")
    focus_on(page, "#chat-text")
    page.keyboard.type("Is it quiet?")
    page.keyboard.press("Enter")
    page.wait_for_selector("#chat-log .receipt")
    assert page.evaluate("document.activeElement.id") == "chat-text"
    focus_on(page, "[data-action=add_item]", "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/cart")
    focus_on(page, "[data-action=checkout]")
    page.keyboard.press("Enter")
    page.wait_for_url("**/checkout")
    focus_on(page, "[data-action=purchase]")
    page.keyboard.press("Enter")
    page.wait_for_url("**/thanks?order=*")
    assert poll(lambda: "purchase" in gateway.actions())
    assert "hover_title" in gateway.actions(), "focus dwells as a pointer does"
    assert page.faults == []
    page.context.close()


def test_without_scripts(browser: Any, shop: LiveShop) -> None:
    page = open_page(browser, shop, PHONE, java_script_enabled=False)
    page.goto("/?q=ringhof")
    assert not page.locator("#chat").is_visible()
    page.click("[data-action=add_item]")
    page.click("[data-action=checkout]")
    page.click("[data-action=purchase]")
    assert "/thanks?order=" in page.url
    page.context.close()


def test_the_assistant_says_what_went_wrong(
    browser: Any, shop: LiveShop, gateway: StubGateway
) -> None:
    page = open_page(browser, shop, DESKTOP)
    page.goto("/")
    gateway.status = {"/v1/chat/completions": 429}
    page.fill("#chat-text", "Hello?")
    page.click("#chat-send")
    page.wait_for_selector("#chat-log [role=alert] >> text=The words of the gateway.")
    gateway.status, gateway.cut_chat = {}, True
    page.fill("#chat-text", "And now?")
    page.click("#chat-send")
    page.wait_for_selector("#chat-log [role=alert] >> text=ended early")
    gateway.cut_chat, gateway.slow_chat_s = False, 1.0
    page.fill("#chat-text", "Slowly?")
    page.click("#chat-send")
    page.click("#chat-stop")
    page.wait_for_selector("#chat-send[aria-disabled=false]")
    assert page.evaluate("document.activeElement.id") == "chat-send"
    assert page.locator("#chat-log [role=alert]").count() == 2, "stopping is no fault"
    gateway.slow_chat_s = 0.0
    page.goto("/cart")
    page.fill("#chat-text", "Go on.")
    page.click("#chat-send")
    page.wait_for_selector("#chat-log .receipt")
    said = gateway.bodies("/v1/chat/completions")[-1]["messages"]
    assert [turn["role"] for turn in said][-3:] == ["user", "assistant", "user"]
    assert said[-1]["content"] == "Go on." and "Hello?" not in str(said), "it had no answer"
    assert page.faults == []
    page.context.close()


def test_the_browser_holds_no_key_and_loads_nothing_else(
    browser: Any, shop: LiveShop, gateway: StubGateway
) -> None:
    page = open_page(browser, shop, DESKTOP)
    asked: list[str] = []
    told: list[str] = []
    page.on("request", lambda request: asked.append(f"{request.url} {request.headers}"))
    page.on("response", lambda answer: told.append(str(answer.headers)))
    page.goto("/")
    chat(page)
    assert all(one.startswith(shop.url) for one in asked)
    assert KEY not in "".join(asked + told) + page.content()
    assert page.evaluate("document.cookie") == "", "scripts cannot read the session"
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(browser: Any, shop: LiveShop, scheme: str) -> None:
    """WCAG AA, 4.5:1, for every text on the front page and its controls."""
    page = open_page(browser, shop, DESKTOP, color_scheme=scheme)
    page.goto("/?max_price=x")
    assert page.evaluate(CONTRAST) == []
    page.evaluate("document.querySelector('.facts').style.color = 'gray'")
    assert len(page.evaluate(CONTRAST)) == 1, "the check finds what it is for"
    page.context.close()


def test_every_field_has_a_label_and_every_page_one_heading(browser: Any, shop: LiveShop) -> None:
    page = open_page(browser, shop, DESKTOP)
    for path in ("/", "/item/vie-ringhof", "/cart", "/thanks"):
        page.goto(path)
        unnamed = page.evaluate(
            "[...document.querySelectorAll('input:not([type=hidden]), select, textarea')]"
            ".filter((one) => !one.labels.length).map((one) => one.id)"
        )
        assert unnamed == [] and page.locator("h1").count() == 1
        assert page.locator("html[lang=en] main").count() == 1
    page.context.close()


CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const faults = [];
  for (const one of document.querySelectorAll("body *")) {
    const text = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!text || !one.checkVisibility()) continue;
    const [a, b] = [light(rgb(getComputedStyle(one).color)), light(behind(one))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faults.push(`${one.tagName} ${one.className} ${ratio.toFixed(2)}`);
  }
  return faults;
}"""
