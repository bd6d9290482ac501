# SPDX-License-Identifier: Apache-2.0
"""A page that told too much at once tells it again, in a real headless Chromium."""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest

from tests.phantom.shop.live_shop import LiveShop
from tests.phantom.shop.stub_gateway import StubGateway, poll

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


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
