# SPDX-License-Identifier: Apache-2.0
"""A model that chooses: good answers, bad ones, none."""

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest

from bls.errors import SkynetError
from pipelines_dagster.phantom.traffic.agents.llm import LLMShopper
from pipelines_dagster.phantom.traffic.agents.menu import chosen
from pipelines_dagster.phantom.traffic.event_ground import EventGround
from pipelines_dagster.phantom.traffic.model import GatewayChooser
from pipelines_dagster.phantom.traffic.plan import traffic
from pipelines_dagster.phantom.traffic.wants import Wants
from pipelines_dagster.phantom.traffic.wares import made_up
from tests.client.fake_triton import FakeTriton
from tests.client.harness import LiveGateway
from tests.phantom.listener import Listener

SHOP = made_up("hotel")
WANTS = Wants((("city", "Brine"),), 400_000_000, "2027-05-05")


def saying(*wishes: str) -> Callable[[str], str]:
    """Takes the first line that has one of the words, the first wish first; else the first line."""

    def choose(prompt: str) -> str:
        lines = re.findall(r"^(\d+)\. (.*)$", prompt, re.M)
        for wish in wishes:
            for number, words in lines:
                if wish in words:
                    return f" {number}. {words}"
        return "1"

    return choose


def test_a_model_reaches_the_goal() -> None:
    driver = LLMShopper(saying("pay", "checkout", "add it", "search for", "open"), WANTS)
    (session,) = EventGround(SHOP).sessions(driver, "a")
    bought = [one.item for one in session.events if one.action == "purchase"]
    assert len(bought) == 1
    assert (session.origin, session.actor, session.label) == ("llm", "agent", "synthetic")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("wish", ["", "open", "sort", "next page", "back", "leave", "search"])
def test_whatever_it_always_says_it_ends(wish: str, seed: int) -> None:
    driver = LLMShopper(saying(wish))
    (session,) = EventGround(SHOP).sessions(driver, str(seed))
    assert 0 < len(session.events) < 100


def test_bad_answers_are_asked_again_and_then_a_fault() -> None:
    asked: list[str] = []

    def choose(prompt: str) -> str:
        asked.append(prompt)
        return ("none of them", "0", "999")[len(asked) % 3]

    with pytest.raises(SkynetError) as caught:
        [*EventGround(SHOP).sessions(LLMShopper(choose, WANTS, retries=2), "a")]
    assert caught.value.code == "driver_stuck"
    assert len(asked) == 3
    assert "was not one of the numbers" not in asked[0]
    assert all("was not one of the numbers" in one for one in asked[1:])


def test_one_bad_answer_is_forgiven() -> None:
    answers = iter(["what?", "2", "??", *["99"] * 50])

    def choose(prompt: str) -> str:
        return "leave" if "bought" in prompt else next(answers, "1")

    failed: Counter[str] = Counter()
    with pytest.raises(SkynetError):
        [*traffic(EventGround(SHOP), [LLMShopper(choose, WANTS)], 1, 0, failed)]
    assert failed == {"driver_stuck": 5}


@pytest.mark.parametrize(
    ("answer", "at"),
    [("3", 2), ("Answer: 1.", 0), ("4", None), ("0", None), ("", None), ("x", None)],
)
def test_reading_an_answer(answer: str, at: int | None) -> None:
    assert chosen(answer, 3) == at


def test_a_gateway_that_is_away() -> None:
    with pytest.raises(SkynetError) as caught:
        GatewayChooser("http://127.0.0.1:9")("hello")
    assert caught.value.code == "model_away"


class Slow(Listener):
    """Answers a chat later than the clients that want to know soon wait for."""

    def take(
        self, path: str, body: dict[str, Any], headers: Mapping[str, str]
    ) -> tuple[int, str, bytes]:
        time.sleep(0.2)
        return 200, "application/json", b'{"choices": [{"message": {"content": " 2."}}]}'


def test_a_busy_gateway_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.thin._TIMEOUT", httpx.Timeout(0.02))
    slow = Slow()
    assert GatewayChooser(slow.url)("Which number?") == " 2."
    slow.server.shutdown()


def test_a_real_gateway_is_asked_with_little_weight_for_advertisers(
    gateway: LiveGateway, triton: FakeTriton
) -> None:
    """Its script talks of flights whatever it is asked: after three times the driver gives up."""
    choose = GatewayChooser(gateway.url)
    assert "morning flight" in choose("Which number?")
    with pytest.raises(SkynetError) as caught:
        [*EventGround(SHOP).sessions(LLMShopper(choose, WANTS), "a")]
    assert caught.value.code == "driver_stuck"
    assert len(triton.requests) == 4
    assert {one.max_tokens for one in triton.requests} == {6}
    assert {one.auction.w_ref for one in triton.requests} == {100.0}


def test_what_a_gateway_refuses_is_told(gateway: LiveGateway) -> None:
    with pytest.raises(SkynetError) as caught:
        GatewayChooser(gateway.url)("")
    assert caught.value.status == 502
    assert caught.value.code != "model_away"
