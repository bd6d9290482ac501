# SPDX-License-Identifier: Apache-2.0
"""Bad requests: each refused with its own code, at the limit and one past it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bls.errors import SkynetError
from bls.limits import LIMITS
from bls.request import parse_request


def request(**changes: Any) -> bytes:
    base: dict[str, Any] = {
        "request_id": "r1",
        "conv_id": "c1",
        "messages": [{"role": "user", "content": "hello"}],
    }
    return json.dumps(base | changes).encode()


def bidders(n: int) -> dict[str, Any]:
    return {"bidders": [{"advertiser": f"adv_{i}", "bid": 1.0} for i in range(n)]}


def user(content: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}]}


AT_THE_LIMIT: list[dict[str, Any]] = [
    {"max_tokens": 1},
    {"max_tokens": LIMITS.output_tokens},
    {"auction": bidders(1)},
    {"auction": bidders(LIMITS.bidders)},
    {"temperature": LIMITS.temperature_min},
    {"auction": {"bidders": [{"advertiser": "a", "bid": 0}]}},
    {"stop": ["x" * LIMITS.stop_bytes] * LIMITS.stop_strings},
    user("x" * LIMITS.message_bytes),
    {"deadline_ms": 1},
]

PAST_THE_LIMIT: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": 0}, "invalid_value"),
    ({"max_tokens": LIMITS.output_tokens + 1}, "invalid_value"),
    ({"max_tokens": 10**9}, "invalid_value"),
    ({"max_tokens": "12"}, "invalid_value"),
    ({"max_tokens": True}, "invalid_value"),
    ({"auction": {"bidders": []}}, "empty"),
    ({"auction": bidders(LIMITS.bidders + 1)}, "invalid_auction"),
    ({"auction": bidders(100)}, "invalid_auction"),
    ({"auction": {"bidders": [{"advertiser": "a", "bid": -0.1}]}}, "invalid_auction"),
    ({"auction": {"bidders": [{"advertiser": "a", "bid": float("nan")}]}}, "not_finite"),
    ({"auction": {"bidders": [{"advertiser": "a", "bid": float("inf")}]}}, "not_finite"),
    ({"auction": {"bidders": [{"advertiser": "../etc", "bid": 1}]}}, "invalid_auction"),
    ({"auction": {"bidders": [{"advertiser": "A", "bid": 1}]}}, "invalid_auction"),
    (
        {"auction": {"bidders": [{"advertiser": "a", "bid": 1}, {"advertiser": "a", "bid": 2}]}},
        "invalid_auction",
    ),
    ({"auction": {"w_ref": 0}}, "invalid_auction"),
    ({"auction": {"mode": "dutch"}}, "invalid_auction"),
    ({"auction": {"bidders": [{"advertiser": "a", "ad_prompt": "   "}]}}, "invalid_auction"),
    ({"temperature": 0.0}, "invalid_value"),
    ({"temperature": float("nan")}, "not_finite"),
    ({"temperature": 2.01}, "invalid_value"),
    ({"messages": []}, "empty"),
    ({"messages": [{"role": "user", "content": ""}]}, "invalid_value"),
    ({"messages": [{"role": "user", "content": " \n"}]}, "invalid_value"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "invalid_value"),
    ({"messages": [{"role": "assistant", "content": "x"}]}, "invalid_value"),
    ({"messages": [{"role": "user"}]}, "missing_field"),
    ({"messages": [{"role": "user", "content": "x"}] * (LIMITS.messages + 1)}, "too_many"),
    (user("x" * (LIMITS.message_bytes + 1)), "invalid_value"),
    ({"stop": ["x"] * (LIMITS.stop_strings + 1)}, "too_many"),
    ({"stop": [""]}, "invalid_value"),
    ({"surprise": 1}, "unknown_field"),
    ({"deadline_ms": 0}, "invalid_value"),
    ({"seed": -1}, "invalid_value"),
]


@pytest.mark.parametrize("changes", AT_THE_LIMIT)
def test_accepts(changes: dict[str, Any]) -> None:
    parse_request(request(**changes))


@pytest.mark.parametrize(("changes", "code"), PAST_THE_LIMIT)
def test_refuses(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(SkynetError) as caught:
        parse_request(request(**changes))
    assert (caught.value.code, caught.value.status) == (code, 400)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"a":' * 3000])
def test_refuses_what_is_not_json(raw: bytes) -> None:
    with pytest.raises(SkynetError) as caught:
        parse_request(raw)
    assert caught.value.status == 400


def test_refuses_a_lone_surrogate() -> None:
    raw = request().replace(b"hello", b"\\ud800")
    with pytest.raises(SkynetError):
        parse_request(raw)
