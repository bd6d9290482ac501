# SPDX-License-Identifier: Apache-2.0
"""A page tells again what was refused for now or in an outage, in a real headless Chromium."""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest

from tests.phantom.shop.live_shop import LiveShop
from tests.phantom.shop.stub_gateway import StubGateway, poll

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HELD = 200
"""Acts that a page keeps while the shop is away."""


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.spec("PH-05")
@pytest.mark.parametrize("status", [429, 503])
def test_what_was_refused_for_now_is_told_again(
    shop: LiveShop, gateway: StubGateway, status: int
) -> None:
    bodies: list[str] = []

    def answer(route: Any) -> None:
        bodies.append(route.request.post_data)
        if len(bodies) == 1:
            route.fulfill(status=status)
        else:
            route.continue_()

    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = chromium.new_context(base_url=shop.url).new_page()
        page.set_default_timeout(30_000)
        page.route("**/events", answer)
        page.goto("/")
        page.hover("[data-hover=hover_paragraph]")
        page.wait_for_timeout(400)
        page.hover("h1")
        assert poll(
            lambda: page.wait_for_timeout(50) or "hover_paragraph" in gateway.actions(), 30.0
        )
        chromium.close()
    assert len(bodies) > 1


OUTAGE = """
const real = window.fetch;
window.away = true;
window.posts = [];
window.fetch = async (url, options) => {
  const post = { events: JSON.parse(options.body).events.length };
  window.posts.push(post);
  if (window.away) return new Response(null, { status: 503 });
  const answer = await real(url, options);
  post.status = answer.status;
  return answer;
};
"""
HOVER = """(type) => document.querySelectorAll("[data-hover]")
  .forEach((element) => element.dispatchEvent(new PointerEvent(type)))"""
LEAVE = "() => { away = false; posts.length = 0; dispatchEvent(new Event('pagehide')); }"


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.spec("PH-05")
def test_who_leaves_after_an_outage_tells_all_at_once(shop: LiveShop, gateway: StubGateway) -> None:
    """The most a page keeps, 200 acts, goes in fewer posts than a visit may send in a second."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = chromium.new_context(base_url=shop.url).new_page()
        page.set_default_timeout(30_000)
        page.add_init_script(OUTAGE)
        page.goto("/")
        for _ in range(-(-HELD // page.locator("[data-hover]").count())):
            page.evaluate(HOVER, "pointerenter")
            page.wait_for_timeout(300)
            page.evaluate(HOVER, "pointerleave")
        page.evaluate(LEAVE)
        page.wait_for_function("posts.every((post) => post.status)")
        posts = page.evaluate("posts")
        chromium.close()
    assert sum(post["events"] for post in posts) == HELD
    assert len(posts) <= 7 and {post["status"] for post in posts} == {204}
    assert poll(lambda: sum(act.startswith("hover_") for act in gateway.actions()) >= HELD)
