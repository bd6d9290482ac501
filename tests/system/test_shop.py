# SPDX-License-Identifier: Apache-2.0
"""The shop in the whole real stack: started by the launcher, real prices, a real auctioned reply,
and every act recorded exactly once.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from bls.errors import SkynetError
from bls.phantom.shop import catalogue
from bls.settings import Settings
from client.launcher.stack import Stack

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SOLD = catalogue("hotel")
ROOM = "ghe-bookbinder"
KEY = "a-key-for-this-test"
QUESTION = "Plan a relaxed weekend trip to the mountains. Where should I stay?"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = dataclasses.replace(
        Settings(),
        state=tmp_path_factory.mktemp("shop"),
        port=0,
        triton_grpc_port=0,
        triton_metrics_port=0,
        store_mode="hotel",
        store_port=0,
        api_key=KEY,
    )
    with Stack(settings) as stack:
        yield stack


def poll(condition: Callable[[], Any], seconds: float = 20.0) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def session(stack: Stack, sid: str) -> dict[str, Any]:
    """What the gateway knows of a session."""
    headers = {"authorization": f"Bearer {KEY}"}
    answer = httpx.get(f"{stack.gateway_url}/v1/sessions/{sid}", headers=headers)
    return dict(answer.json()) if answer.is_success else {}


def recorded(stack: Stack) -> dict[str, int]:
    """What the shop says of its records."""
    told = httpx.get(f"{stack.shop_url}/healthz").json()["records"]
    return {name: int(count) for name, count in told.items()}


@pytest.mark.spec("PH-04", "PH-05", "PH-06")
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_from_the_front_page_to_the_order(stack: Stack) -> None:
    """A real browser, gateway and model; the lines on disk have each act once."""
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=arguments)
        context = chromium.new_context(base_url=stack.shop_url)
        context.set_default_timeout(60_000)
        page = context.new_page()
        page.goto("/?q=bookbinder")
        page.hover("[data-hover=hover_paragraph]")
        page.wait_for_timeout(400)
        page.click("[data-action=view_item]")
        sponsored, disclosed = chat(page)
        page.click("[data-action=add_item]")
        page.click("[data-action=checkout]")
        page.click("[data-action=purchase]")
        page.wait_for_selector("#order")
        paid = int(page.locator("[data-total-micros]").get_attribute("data-total-micros"))
        sid = context.cookies()[0]["value"].partition(".")[0]
        chromium.close()
    assert sponsored and disclosed.startswith("Sponsored: advertising by ")
    assert SOLD.item(ROOM).floor_micros <= paid <= SOLD.item(ROOM).ceiling_micros
    assert poll(lambda: recorded(stack)["waiting"] == 0)
    told = recorded(stack)
    assert told["dropped"] == 0
    known = session(stack, sid)
    assert known["mode"] == "hotel" and known["events"] + known["quotes"] >= told["sent"]
    logs = stack.settings.logs
    lines = [
        line
        for file in logs.glob("session.events*")
        if file.is_file()
        for line in file.read_text().splitlines()
        if sid in line
    ]
    acts = Counter(
        action
        for line in lines
        for action in ("search", "view_item", "add_item", "checkout", "purchase")
        if f'"action":"{action}"' in line.replace(" ", "")
    )
    assert acts == dict.fromkeys(("search", "view_item", "add_item", "checkout", "purchase"), 1)
    assert len(lines) == known["events"]


def chat(page: Any) -> tuple[int, str]:
    """Words that were sponsored, and what was disclosed. A server that is busy leaves ads out of
    a reply rather than hold it up, so the question is asked until they are in."""
    for turn in range(1, 6):
        page.fill("#chat-text", QUESTION)
        page.click("#chat-send")
        page.wait_for_function(
            "(n) => document.querySelectorAll('#chat-log .receipt').length === n", arg=turn
        )
        sponsored = page.locator("#chat-log mark.sponsored").count()
        if sponsored:
            break
    return sponsored, " ".join(page.locator("#chat-log .disclosure").all_inner_texts())


@pytest.mark.spec("PH-04")
def test_a_shop_that_dies_is_told(stack: Stack) -> None:
    """It is a child like the others. The last test: it ends the shop."""
    shop = stack.child("shop")
    environment = open(f"/proc/{shop.pid}/environ").read()  # noqa: PTH123, SIM115
    assert "SKYNET_API_KEY" in environment and "SKYNET_DATABASE" not in environment
    os.kill(shop.pid, signal.SIGKILL)
    with pytest.raises(SkynetError, match="shop ended") as caught:
        stack.wait()
    assert caught.value.code == "child_died"
