# SPDX-License-Identifier: Apache-2.0
"""What people are told of the stages before the first token."""

from __future__ import annotations

from typing import Any

import pytest

from client.prelude import prelude_line
from tests.client.fake_script import PRELUDE
from tests.client.harness import LiveGateway, chat, chunks_of

CHOSEN = {"advertiser": "alpine_rail", "explored": False, "sim": 0.4321, "val": 0.5}
USUAL: dict[str, Any] = {
    "windows": 0,
    "summaries": 0,
    "ms": {"total": 41.6},
    "selected": [CHOSEN, CHOSEN | {"advertiser": "stride_shoes", "explored": True}],
}


def test_it_travels_to_the_reader(gateway: LiveGateway) -> None:
    assert chunks_of(gateway.stream())[0]["skynet"]["prelude"] == PRELUDE
    assert gateway.post(chat()).json()["skynet"]["prelude"] == PRELUDE


def test_an_ordinary_reply_needs_no_words() -> None:
    assert prelude_line(USUAL, brief=True) == ""


def test_all_of_it() -> None:
    line = prelude_line(USUAL, brief=False)
    assert line == (
        "alpine_rail (chosen, similarity 0.43, value 0.50); "
        "stride_shoes (drawn, similarity 0.43, value 0.50); 42 ms before the prompt"
    )


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"windows": 75, "summaries": 8}, "75 windows of the chat in 8 summaries"),
        ({"windows": 75}, "the older part of the chat left out"),
        ({"no_ads": "self_harm"}, "no ads: self harm"),
        ({"no_ads": "unjudged"}, "no ads: nobody could judge the texts"),
        ({"scrubbed": {"phone": 1, "email": 2}}, "taken out: 2 email, 1 phone"),
        ({"left_out": [{"advertiser": "a", "reason": "pressure"}]}, "a left out: pressure"),
    ],
)
def test_what_is_unusual_is_said(told: dict[str, Any], words: str) -> None:
    assert prelude_line(USUAL | told, brief=True) == words
